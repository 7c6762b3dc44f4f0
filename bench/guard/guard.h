/*
 * What the regression guard counts: paths through the code, each run over and over on one thread,
 * always the same way. Each program of this directory has some, and main.c runs one of them.
 *
 * Callgrind counts what functions of the name counted_* execute, and nothing else (measure.sh): the
 * rest of a path plays the part of the other side. Paths call no counted_* from within another.
 */
#ifndef BENCH_GUARD_GUARD_H
#define BENCH_GUARD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* They must stay functions. */
#define COUNTED __attribute__((noinline))

enum {
    GUARD_BODY_SIZE = 64,
    GUARD_BUNDLE = 60,        /* calls that share a message */
    GUARD_OUTSTANDING = 1000, /* calls under way at once */
};

struct path {
    const char *name;
    unsigned calls; /* in one round */
    void (*begin)(const struct path *path);
    void (*round)(void);
    void (*end)(void); /* may be NULL */
    unsigned outstanding;
    uint8_t flags; /* of the CALL */
    bool whole;    /* worker and client know no methods */
    uint32_t credit;
    unsigned clients;
    unsigned services; /* that are called in turn */
};

/* Of the program; the last one has no name. */
extern const struct path paths[];

/* Ends the program if what was counted was not what should have been. */
_Noreturn void guard_fail(const char *sentence);
static inline void guard_expect(bool holds, const char *sentence)
{
    if (!holds)
        guard_fail(sentence);
}

/* The bytes of every request and result. */
extern const uint8_t guard_body[GUARD_BODY_SIZE];

/* Calls under way that the other side is yet to answer, oldest first. */
void guard_asked(uint64_t id);
uint64_t guard_oldest(void);
unsigned guard_unanswered(void);

#endif
