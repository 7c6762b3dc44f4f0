/*
 * The reference model: what docs/protocol.md says must become of every call, kept in plain tables.
 * It shares no source with the broker. It does not foresee which worker a call goes to; it judges
 * what the router sent, and fails the run when that breaks a promise.
 */
#ifndef TESTS_SIMULATION_MODEL_H
#define TESTS_SIMULATION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PEERS = 16,
    SERVICES = 4,
    METHODS = 4,
    IDS = 256,         /* calls a client may have out at once */
    HELD = 512,        /* calls a worker may have */
    CALLS = 1 << 14,   /* calls not over */
    USED = 1 << 18,    /* slots for worker-side ids of one run of the router */
    PACED_CALLS = 128, /* with so many a worker may be given less than its credit for PACED_MS */
    PACED_MS = 1000,
    HEADER_MOST = 64, /* what the router may count a kept request for, besides its bytes */
    NOBODY = 255,
};

enum phase {
    PHASE_NONE,
    PHASE_DOOR,     /* its CALL is being handled */
    PHASE_WAITING,  /* accepted, and no worker has it */
    PHASE_RUNNING,  /* a worker has it */
    PHASE_ANSWERED, /* its worker answered in this event */
    PHASE_RETURNED, /* its worker gave it back in this event */
    PHASE_LOST,     /* its worker was lost in this event */
    PHASE_ORPHAN,   /* a worker has it and nobody waits */
};

/* What a client asks. */
struct request {
    uint8_t client;
    uint8_t service; /* SERVICES: a name that nobody can have */
    uint8_t method;  /* METHODS: the same */
    bool idempotent;
    uint64_t client_id;
    uint32_t timeout;
    uint32_t body_size;
};

struct model_call {
    uint64_t serial; /* the first bytes of its body; its index is the low 16 bits */
    uint64_t client_id;
    uint64_t worker_id; /* the id it has towards the worker that has it */
    uint64_t deadline;
    uint64_t reasons; /* statuses, a bit each, that it may end with in this event */
    uint32_t body_size;
    uint32_t at;    /* in model.live */
    uint16_t place; /* in the worker's held */
    uint8_t phase;
    uint8_t client;
    uint8_t worker;
    uint8_t service;
    uint8_t method;
    uint8_t attempts;      /* times given and not returned */
    bool asked_idempotent; /* by its client */
    bool idempotent;       /* as the worker that has it was told */
    bool reached;          /* it left the broker: the worker may know of it */
    bool cancel_due;       /* its worker is to be told in this event that nobody waits */
    bool must_end;         /* in this event */
};

struct model_peer {
    bool alive;
    bool leaving;
    bool resting; /* gave a call back: need not be given others until it is heard of */
    uint32_t credit;
    uint32_t held_count;
    uint64_t last_given; /* ms */
    uint16_t held[HELD]; /* calls it has */
    uint16_t open[IDS];  /* calls it made and waits for: index + 1, by client_id % IDS */
};

struct model_limits {
    uint64_t body_limit;
    uint64_t queue_calls;
    uint64_t queue_bytes;
    uint64_t retained_bytes;
    uint32_t attempts;
};

/* An outcome that the answer of a worker makes. */
struct expected {
    uint16_t call; /* index + 1; 0 for none */
    bool reply;
    uint8_t status;
    uint8_t fate;
    const uint8_t *body; /* NULL: any text */
    size_t body_size;
};

struct model {
    uint64_t now;
    struct model_limits limits;
    bool draining;
    struct model_peer peers[PEERS];
    uint32_t exports[SERVICES];             /* a bit per worker that registered it */
    uint32_t offers[SERVICES][METHODS];     /* a bit per worker that offers it */
    uint32_t repeatable[SERVICES][METHODS]; /* and declared it idempotent */
    struct model_call calls[CALLS];
    uint16_t live[CALLS];
    uint32_t live_count;
    uint16_t free[CALLS];
    uint32_t free_count;
    uint32_t waiting[SERVICES][METHODS];
    uint32_t waiting_calls[SERVICES];
    uint64_t waiting_bytes[SERVICES];
    uint16_t loose[CALLS]; /* calls that this event must find a place for */
    uint32_t loose_count;
    uint32_t cancels_due;
    bool quiet; /* nothing may be sent in this event */
    struct expected expected;
    uint64_t serial;
    uint64_t used[USED]; /* worker-side ids seen, open addressing */
    uint32_t used_count;
    uint64_t received; /* calls */
    uint64_t outcomes; /* those of them that are over */
};

/* Events: to be told before the router is. */
void model_start(struct model *model, const struct model_limits *limits, uint64_t now);
void model_join(struct model *model, uint8_t peer);
void model_register(struct model *model, uint8_t worker, uint8_t service, uint32_t methods,
                    uint32_t repeatable);
void model_deregister(struct model *model, uint8_t worker, uint8_t service);
void model_credit(struct model *model, uint8_t worker, uint32_t credit);
void model_leave(struct model *model, uint8_t worker);
uint16_t model_call(struct model *model, const struct request *request);
/* The worker that has the call answers it, as `expected` has it if anybody waits. */
void model_answer(struct model *model, uint16_t index, const struct expected *expected);
/* The same with RETURN; `whole` if the request comes back with it as it should. */
void model_return(struct model *model, uint16_t index, bool whole);
void model_cancel(struct model *model, uint8_t client, uint64_t client_id);
void model_die(struct model *model, uint8_t peer);

/* What the router sent. */
struct given {
    uint8_t worker;
    uint64_t worker_id;
    uint32_t timeout;
    uint8_t service;
    uint8_t method;
    bool idempotent;
    const uint8_t *body;
    size_t body_size;
};
/* Returns the call. */
uint16_t model_given(struct model *model, const struct given *given);
void model_told_cancel(struct model *model, uint8_t worker, uint64_t worker_id);
struct told {
    uint8_t client;
    uint64_t client_id;
    bool reply;
    uint8_t status;
    uint8_t fate;
    const uint8_t *body;
    size_t body_size;
};
void model_told(struct model *model, const struct told *told);

/* The event is over: everything it had to bring about was seen. */
void model_settle(struct model *model);
/* The same after time has passed and the router was told: nothing stays after its deadline. */
void model_settle_time(struct model *model);
/* The earliest deadline of a call that somebody waits for; UINT64_MAX if there is none. */
uint64_t model_next_deadline(const struct model *model);

/* The bytes of a request: its serial, then the same for all. */
const uint8_t *model_body(const struct model_call *call, uint8_t *buffer);

/* Between the files of the model. */
static inline uint64_t bit(unsigned number)
{
    return UINT64_C(1) << number;
}
uint32_t model_free_workers(const struct model *model);
void model_release(struct model *model, struct model_call *call); /* its worker has it no more */
void model_end(struct model *model, struct model_call *call);     /* it is over and forgotten */
void model_outcome(struct model *model, struct model_call *call); /* nobody waits any more */
void model_loosen(struct model *model, struct model_call *call, enum phase phase);

#endif
