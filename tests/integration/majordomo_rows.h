/* Malformed Majordomo messages of each dialect, and the exact answer that each is to get. */
#ifndef TESTS_INTEGRATION_MAJORDOMO_ROWS_H
#define TESTS_INTEGRATION_MAJORDOMO_ROWS_H

#include "tests/kit/majordomo.h"

/* Who sends it, and when. */
enum majordomo_when {
    CLIENT,  /* a client; it is counted as malformed */
    REFUSED, /* a client; it is understood, but not done */
    FRESH,   /* a worker that never said READY */
    IDLE,    /* one that did, for a service of its own */
    BUSY,    /* one that has a request, whose address is `@`: somebody else is given it then */
    DONE,    /* one that has replied to that request */
    FORGER,  /* one that has none: the request `@` is another worker's, and stays it */
};

struct majordomo_row {
    enum mdp_dialect dialect;
    enum majordomo_when when;
    const char *message;
    const char *answer; /* NULL for none */
};

#define BYE_01 "- MDPW01 x05"
#define BYE_02 "MDPW02 x06"
#define BYE_D1 "- MDPW02 x05"
#define BYE_D4 "- MDPW02 x06"

#define ROW(...)                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* Names that are none: empty, too long, a space, a quote, a backslash, NUL, DEL, not ASCII. */
#define CLIENT_NAMES(dialect, head)                                                                \
    ROW(dialect, CLIENT, head " -", NULL), ROW(dialect, CLIENT, head " - body", NULL),             \
        ROW(dialect, CLIENT, head " *128 body", NULL),                                             \
        ROW(dialect, CLIENT, head " x612062 body", NULL),                                          \
        ROW(dialect, CLIENT, head " x6122 body", NULL),                                            \
        ROW(dialect, CLIENT, head " x615c body", NULL),                                            \
        ROW(dialect, CLIENT, head " x6100 body", NULL),                                            \
        ROW(dialect, CLIENT, head " x7f body", NULL),                                              \
        ROW(dialect, CLIENT, head " x61c3a4 body", NULL)
/* And those of the broker. */
#define WORKER_NAMES(dialect, when, head, answer)                                                  \
    ROW(dialect, when, head, answer), ROW(dialect, when, head " -", answer),                       \
        ROW(dialect, when, head " *128", answer), ROW(dialect, when, head " x612062", answer),     \
        ROW(dialect, when, head " x6122", answer), ROW(dialect, when, head " x615c", answer),      \
        ROW(dialect, when, head " x6100", answer), ROW(dialect, when, head " x7f", answer),        \
        ROW(dialect, when, head " x61c3a4", answer), ROW(dialect, when, head " mmi.x", answer),    \
        ROW(dialect, when, head " mmi.service", answer), ROW(dialect, when, head " mmi.", answer), \
        ROW(dialect, when, head " bus", answer), ROW(dialect, when, head " bus.x", answer),        \
        ROW(dialect, when, head " name more", answer)
/* Replies (or parts of them) that are for nothing, and such that lack frames. */
#define REPLIES(dialect, head, answer)                                                             \
    ROW(dialect, FRESH, head, answer), ROW(dialect, FRESH, head " @ - body", answer),              \
        ROW(dialect, IDLE, head, answer), ROW(dialect, IDLE, head " @", answer),                   \
        ROW(dialect, IDLE, head " @ - body", answer),                                              \
        ROW(dialect, IDLE, head " - - body", answer), ROW(dialect, BUSY, head, answer),            \
        ROW(dialect, BUSY, head " @", answer), ROW(dialect, BUSY, head " @ body", answer),         \
        ROW(dialect, BUSY, head " @ body -", answer),                                              \
        ROW(dialect, BUSY, head " - - body", answer),                                              \
        ROW(dialect, BUSY, head " x00 - body", answer),                                            \
        ROW(dialect, BUSY, head " xffffffffffffffff - body", answer),                              \
        ROW(dialect, BUSY, head " x000000000000000000 - body", answer),                            \
        ROW(dialect, DONE, head " @ - body", answer),                                              \
        ROW(dialect, FORGER, head " @ - forged", answer)
/* Commands that are none, or not a worker's. */
#define COMMANDS(dialect, head, answer)                                                            \
    ROW(dialect, FRESH, head, answer), ROW(dialect, FRESH, head " -", answer),                     \
        ROW(dialect, FRESH, head " x00", answer), ROW(dialect, FRESH, head " x07", answer),        \
        ROW(dialect, FRESH, head " xff", answer), ROW(dialect, FRESH, head " x0101 name", answer), \
        ROW(dialect, FRESH, head " x02 @ - body", answer), ROW(dialect, IDLE, head, answer),       \
        ROW(dialect, IDLE, head " -", answer), ROW(dialect, IDLE, head " x00", answer),            \
        ROW(dialect, IDLE, head " x07", answer), ROW(dialect, IDLE, head " x0404", answer),        \
        ROW(dialect, IDLE, head " x02 @ - body", answer), ROW(dialect, BUSY, head " x00", answer), \
        ROW(dialect, BUSY, head " x02 @ - body", answer), ROW(dialect, BUSY, head " name", answer)
/* READY when it was said before. */
#define READY_TWICE(dialect, head, answer)                                                         \
    ROW(dialect, IDLE, head " $", answer), ROW(dialect, IDLE, head " other", answer),              \
        ROW(dialect, BUSY, head " $", answer), ROW(dialect, BUSY, head, answer)
/* Requests that are understood: more than the limit of a body, in frames that are below it. */
#define TOO_LARGE(dialect, head) ROW(dialect, REFUSED, head " serve *40000 *40000", NULL)

static const struct majordomo_row majordomo_rows[] = {
    /* In no dialect that is known. */
    {MDP_01, CLIENT, "-", NULL},
    {MDP_01, CLIENT, "- -", NULL},
    {MDP_01, CLIENT, "- x00", NULL},
    {MDP_01, CLIENT, "- - MDPC01 serve body", NULL},
    {MDP_01, CLIENT, "- MDPC0", NULL},
    {MDP_01, CLIENT, "- MDPC011 serve body", NULL},
    {MDP_01, CLIENT, "- mdpc01 serve body", NULL},
    {MDP_01, CLIENT, "- MDPC02 serve body", NULL},
    {MDP_01, CLIENT, "- MDPC02 x02 serve body", NULL},
    {MDP_01, CLIENT, "- MDPC03 serve body", NULL},
    {MDP_01, CLIENT, "- BUSB", NULL},
    {MDP_01, CLIENT, "MDPC01 serve body", NULL},
    {MDP_01, CLIENT, "MDP", NULL},
    {MDP_01, FRESH, "- MDPW02 x01 name", NULL},
    {MDP_01, FRESH, "- MDPW03 x01 name", NULL},
    {MDP_01, FRESH, "MDPW01 x01 name", NULL},
    {MDP_01, FRESH, "MDPW01", NULL},
    {MDP_02, CLIENT, "MDPC03 x01 serve body", NULL},
    {MDP_02, CLIENT, "- MDPC02 x01 serve body", NULL},
    {MDP_02, FRESH, "MDPW03 x01 name", NULL},
    {MDP_02, FRESH, "- MDPW02 x05", NULL},
    {MDP_D1, CLIENT, "- MDPC03 serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC03 x02 serve body", NULL},

    {MDP_01, CLIENT, "- MDPC01", NULL},
    {MDP_01, CLIENT, "- MDPC01 serve +1025", NULL},
    CLIENT_NAMES(MDP_01, "- MDPC01"),
    TOO_LARGE(MDP_01, "- MDPC01"),
    COMMANDS(MDP_01, "- MDPW01", BYE_01),
    {MDP_01, FRESH, "- MDPW01 x04", BYE_01},
    {MDP_01, FRESH, "- MDPW01 x05", NULL},
    {MDP_01, FRESH, "- MDPW01 x06", BYE_01},
    {MDP_01, IDLE, "- MDPW01 x06", BYE_01},
    READY_TWICE(MDP_01, "- MDPW01 x01", BYE_01),
    WORKER_NAMES(MDP_01, FRESH, "- MDPW01 x01", BYE_01),
    REPLIES(MDP_01, "- MDPW01 x03", BYE_01),

    {MDP_02, CLIENT, "MDPC02", NULL},
    {MDP_02, CLIENT, "MDPC02 x01", NULL},
    {MDP_02, CLIENT, "MDPC02 - serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x00 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x02 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x03 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x04 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 xff serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x0101 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 serve body", NULL},
    {MDP_02, CLIENT, "MDPC02 x01 serve +1025", NULL},
    CLIENT_NAMES(MDP_02, "MDPC02 x01"),
    TOO_LARGE(MDP_02, "MDPC02 x01"),
    COMMANDS(MDP_02, "MDPW02", BYE_02),
    {MDP_02, FRESH, "MDPW02 x05", BYE_02},
    {MDP_02, FRESH, "MDPW02 x06", NULL},
    READY_TWICE(MDP_02, "MDPW02 x01", BYE_02),
    WORKER_NAMES(MDP_02, FRESH, "MDPW02 x01", BYE_02),
    REPLIES(MDP_02, "MDPW02 x03", BYE_02),
    REPLIES(MDP_02, "MDPW02 x04", BYE_02),

    {MDP_D1, CLIENT, "- MDPC02", NULL},
    {MDP_D1, CLIENT, "- MDPC02 x02 serve body", NULL},
    {MDP_D1, CLIENT, "- MDPC02 serve +1025", NULL},
    CLIENT_NAMES(MDP_D1, "- MDPC02"),
    TOO_LARGE(MDP_D1, "- MDPC02"),
    COMMANDS(MDP_D1, "- MDPW02", BYE_D1),
    {MDP_D1, FRESH, "- MDPW02 x04", BYE_D1},
    {MDP_D1, FRESH, "- MDPW02 x05", NULL},
    {MDP_D1, IDLE, "- MDPW02 x06", BYE_D1},
    READY_TWICE(MDP_D1, "- MDPW02 x01", BYE_D1),
    WORKER_NAMES(MDP_D1, FRESH, "- MDPW02 x01", BYE_D1),
    REPLIES(MDP_D1, "- MDPW02 x03", BYE_D1),

    {MDP_D4, CLIENT, "- MDPC02", NULL},
    {MDP_D4, CLIENT, "- MDPC02 x02", NULL},
    {MDP_D4, CLIENT, "- MDPC02 - serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC02 x01 serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC02 x03 serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC02 x0202 serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC02 serve body", NULL},
    {MDP_D4, CLIENT, "- MDPC02 x02 serve +1025", NULL},
    CLIENT_NAMES(MDP_D4, "- MDPC02 x02"),
    TOO_LARGE(MDP_D4, "- MDPC02 x02"),
    COMMANDS(MDP_D4, "- MDPW02", BYE_D4),
    {MDP_D4, FRESH, "- MDPW02 x05", BYE_D4},
    {MDP_D4, FRESH, "- MDPW02 x06", NULL},
    READY_TWICE(MDP_D4, "- MDPW02 x01", BYE_D4),
    WORKER_NAMES(MDP_D4, FRESH, "- MDPW02 x01", BYE_D4),
    REPLIES(MDP_D4, "- MDPW02 x03", BYE_D4),
    REPLIES(MDP_D4, "- MDPW02 x04", BYE_D4),
};

#endif
