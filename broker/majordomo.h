/*
 * Majordomo (7/MDP, 18/MDP, 8/MMI): clients and workers that speak it are peers like all others.
 * docs/majordomo.md says what they may expect. What differs between the versions is a form: a table of
 * frames and numbers, each in a file of its own.
 */
#ifndef BROKER_MAJORDOMO_H
#define BROKER_MAJORDOMO_H

#include <string.h>

#include "base/list.h"
#include "broker/core.h"
#include "broker/dialect.h"
#include "protocol/frames.h"
#include "protocol/name.h"
#include "transport/mailbox.h"

/* What is said between a worker and the broker; each form has its own numbers for these. */
enum mdp_command {
    MDP_READY,
    MDP_REQUEST,
    MDP_PARTIAL,
    MDP_FINAL, /* REPLY in 0.1 */
    MDP_HEARTBEAT,
    MDP_DISCONNECT,
    MDP_COMMANDS,
};

enum {
    MDP_HEADER_SIZE = 6,
};

struct mdp_form {
    struct dialect dialect;
    char client[MDP_HEADER_SIZE + 1]; /* the frame that its messages begin with … */
    char worker[MDP_HEADER_SIZE + 1];
    bool enveloped;         /* … after an empty one */
    uint8_t client_request; /* number of a client's REQUEST; 0 if it has no command frame … */
    uint8_t client_partial; /* … so these, in answers */
    uint8_t client_final;
    bool names_service;             /* the service stands in answers to clients */
    uint8_t commands[MDP_COMMANDS]; /* numbers of a worker's commands; 0 for one it does not have */
};

extern const struct mdp_form mdp_01; /* broker/mdp_01.c, and so on */
extern const struct mdp_form mdp_02;
extern const struct mdp_form mdp_d1;
extern const struct mdp_form mdp_d4;

/* The functions of every form. */
#define MDP_DIALECT(text)                                                                          \
    {                                                                                              \
        .name = (text), .receive = majordomo_receive, .begin = majordomo_begin,                    \
        .put = majordomo_put, .due = majordomo_due, .flush = majordomo_flush,                      \
        .inspect = majordomo_inspect, .give_back = majordomo_give_back, .end = majordomo_end,      \
    }

/* A request of a client: its address is the id under which the router knows it. */
struct mdp_request {
    struct list of_session;
    uint8_t service_size;
    char service[NAME_SIZE_MAX];
};

/* A part of a result that waits at the broker. */
struct mdp_part {
    struct list of_worker;
    struct blob *body;
    uint8_t encoding;
};

/* What a session of this protocol has besides the rest: it may be a client, a worker, or both. */
struct majordomo {
    struct mailbox mailbox;
    struct list requests; /* mdp_request.of_session */
    bool is_over;         /* they were reported to the client, which is told nothing more of them */

    bool undecided;    /* a worker of D1 or D4: its first HEARTBEAT will tell which */
    bool method_frame; /* it wants the names of methods */
    uint64_t beat_at;  /* ms: when it is sent the next HEARTBEAT */

    bool busy;        /* it has a request … */
    uint64_t call;    /* … of this id */
    uint64_t letter;  /* the request's number in the mailbox */
    uint64_t busy_at; /* ms: since when */
    bool is_stream;   /* whose client takes parts: so many at the moment */
    uint32_t window;
    bool is_granted;   /* and more of them later */
    struct list parts; /* mdp_part.of_worker: to be merged with the last, or beyond the window */
    size_t part_bytes;
    bool overflow;    /* they were too many, and were dropped */
    bool cancelled;   /* nobody waits for them any more */
    bool is_answered; /* the last came, and waits behind the others */
};

static inline bool mdp_is_header(struct bytes frame, const char header[MDP_HEADER_SIZE + 1])
{
    return frame.size == MDP_HEADER_SIZE && memcmp(frame.data, header, MDP_HEADER_SIZE) == 0;
}

static inline struct bytes mdp_header(const char header[MDP_HEADER_SIZE + 1])
{
    return (struct bytes){.data = (const uint8_t *)header, .size = MDP_HEADER_SIZE};
}

static inline const struct mdp_form *form_of(const struct session *session)
{
    return CONTAINER_OF(session->dialect, const struct mdp_form, dialect);
}

/* The functions of struct dialect: broker/majordomo.c. */
void majordomo_receive(struct broker *broker, const struct dialect *dialect);
bool majordomo_begin(struct broker *broker, struct session *session, const struct hello *hello);
bool majordomo_put(struct broker *broker, struct session *session, const struct packet *packet,
                   struct blob *attached);
size_t majordomo_due(const struct session *session);
enum outbox_result majordomo_flush(struct broker *broker, struct session *session);
void majordomo_inspect(struct broker *broker, struct session *session);
void majordomo_give_back(struct broker *broker, struct session *session);
void majordomo_end(struct session *session);

/* A message that is being taken apart: what stands before `at` was understood. */
struct mdp_arrival {
    struct broker *broker;
    const struct mdp_form *form;
    struct session *session; /* NULL while the peer has none */
    size_t at;
};

/* The next frame; false if there is none. */
bool mdp_take(struct mdp_arrival *arrival, struct bytes *frame);

/* The next frame if it is a number; false, and nothing taken, if it is none. */
bool mdp_take_number(struct mdp_arrival *arrival, uint8_t *number);

/* It was not understood: counted, with a static text for the log. */
void mdp_refuse(struct mdp_arrival *arrival, const char *reason);

/* The rest of a message as the body of a packet. */
struct mdp_body {
    struct bytes bytes;
    uint8_t encoding;
    struct blob *attached; /* the same bytes, if they are many */
    struct blob *own;      /* holds them, if the message does not */
    struct blob *rest;     /* holds those behind the name of a method */
};

bool mdp_body_take(struct mdp_arrival *arrival, struct mdp_body *body);
void mdp_body_fini(struct mdp_body *body);

/* Could the peer that sends this speak D1 as well as D4? */
bool mdp_is_ambiguous(const struct broker *broker, const struct mdp_form *form); /* dialect.c */

/* A name of the broker's own: `bus`, `bus.*` and `mmi.*`. Those of `titanic` are for whoever serves. */
bool mdp_is_reserved(struct bytes name);

/* broker/majordomo_client.c */
void mdp_client_receive(struct mdp_arrival *arrival);
bool mdp_client_put(struct broker *broker, struct session *session, const struct packet *packet,
                    struct blob *attached);
/* The broker stops: the client is told of each request that is still there. They stay, since the router
 * has them by their addresses. */
bool mdp_client_bye(struct broker *broker, struct session *session);
void mdp_requests_drop(struct majordomo *majordomo);

/* broker/majordomo_worker.c */
void mdp_worker_receive(struct mdp_arrival *arrival);
bool mdp_worker_put(struct broker *broker, struct session *session, const struct packet *packet,
                    struct blob *attached);
/* Tells a worker that its session is over, and ends it when the current message is done with. */
void mdp_dismiss(struct broker *broker, struct session *session, const char *reason);

/* broker/majordomo_parts.c: a PARTIAL or, if it is the last of a result, a FINAL or REPLY. */
void mdp_result(struct broker *broker, struct session *session, const struct mdp_body *body,
                bool is_last);
/* One of more frames than a body may have. */
void mdp_result_too_large(struct broker *broker, struct session *session, bool is_last);
/* Sends what waited, as far as its client takes it by now. */
void mdp_parts_resume(struct broker *broker, struct session *session);
void mdp_parts_drop(struct majordomo *majordomo);

#endif
