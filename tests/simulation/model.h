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
    SERVICES = 5,
    STICKY = 3,        /* of the services; calls are spread by key */
    FOREIGN = 4,       /* its name is one for protocols without methods alone */
    METHODS = 4,       /* that have names */
    WHOLE = METHODS,   /* the one of the empty name: all that nobody offers by name */
    NAMES = WHOLE + 1, /* of methods, the empty one too */
    KEYS = 4,
    IDS = 256,         /* calls a client may have out at once */
    HELD = 512,        /* calls a worker may have */
    CALLS = 1 << 14,   /* calls not over */
    USED = 1 << 18,    /* slots for worker-side ids of one run of the router */
    TRIED = 4,         /* attempts at most */
    WINDOW = 16,       /* parts that a stream may send whose client says nothing */
    PACED_CALLS = 128, /* with so many a worker may be given less than its credit for PACED_MS */
    PACED_MS = 1000,
    ROW_CREDIT = 1024, /* a worker may be given a row of its credit squared by this … */
    ROW_MS = 16,       /* … within so many ms of the answers that it gave */
    HEADER_MOST = 64,  /* what the router may count a kept request for, besides its bytes */
    BUDGET = 100,      /* of a service's retry budget: a repetition */
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
    uint8_t method;  /* NAMES: the same */
    uint8_t key;     /* 1 to KEYS; 0 for none */
    uint8_t hops;
    bool idempotent;
    bool oneway;
    bool stream;
    bool item;     /* has an item of the application */
    bool nameless; /* its client's protocol has no methods */
    uint64_t client_id;
    uint64_t session; /* number of the client's session */
    uint32_t timeout;
    uint32_t body_size;
    uint32_t wait;   /* ms; 0 for none */
    uint32_t window; /* 0: not said */
};

struct attempt {
    uint64_t worker; /* number of its session */
    uint64_t ms;     /* that it had the call */
};

struct model_call {
    struct request asked;
    uint64_t serial;    /* the first bytes of its body; its index is the low 16 bits */
    uint64_t worker_id; /* the id it has towards the worker that has it */
    uint64_t deadline;
    uint64_t wait_until;
    uint64_t queued_at;
    uint64_t given_at;
    uint64_t stall_at; /* when it has been silent too long; UINT64_MAX for never */
    uint64_t stall;    /* ms without a sign; 0 for any number */
    uint64_t reasons;  /* statuses, a bit each, that it may end with in this event */
    uint64_t window;   /* parts that may still be sent */
    uint64_t granted;  /* beyond the first window */
    uint64_t told;     /* of those, to the worker that has it */
    struct attempt tried[TRIED];
    uint32_t at;    /* in model.live */
    uint16_t place; /* in the worker's held */
    uint8_t phase;
    uint8_t client; /* NOBODY once nobody waits */
    uint8_t worker;
    uint8_t attempts; /* times given and not returned */
    bool idempotent;  /* as the worker that has it was told */
    bool was_given;   /* returned since or not */
    bool house;       /* oneway and accepted: the broker's own */
    bool streamed;    /* a part of it was passed on */
    bool unserved;    /* waited for somebody to serve it */
    bool had_servers; /* somebody would have been given it when it was looked at last */
    bool counted;     /* among model.unserved */
    bool uncertain;   /* of the house, and may have ended: nobody would be told */
    bool reached;     /* it left the broker: the worker may know of it */
    bool named;       /* its worker was told who calls */
    bool blank;       /* its worker was told no method */
    bool cancel_due;  /* its worker is to be told in this event that nobody waits */
    bool must_end;    /* in this event */
};

struct model_peer {
    bool alive;
    bool leaving;
    bool nameless; /* as a client it knows no methods */
    bool congested;
    bool full;    /* much is due to it: gets no calls until it has taken some */
    bool resting; /* gave a call back: need not be given others until it is heard of */
    uint32_t credit;
    uint32_t held_count;
    uint32_t open_count;
    uint32_t row;           /* calls it may be given although others have fewer */
    uint32_t answers[2];    /* since then, and in the time as long before */
    uint64_t answers_since; /* ms */
    uint64_t row_at;        /* ms */
    uint64_t last_given;    /* ms */
    uint64_t number;        /* of its session */
    uint16_t held[HELD];    /* calls it has */
    uint16_t open[IDS];     /* calls it made and waits for: index + 1, by client_id % IDS */
};

struct model_limits {
    uint64_t body_limit;
    uint64_t queue_calls;
    uint64_t queue_bytes;
    uint64_t queue_age;
    uint64_t client_calls;
    uint64_t retained_bytes;
    uint64_t waiting_calls;
    uint32_t attempts;
    uint32_t retry_percent;
    uint32_t retry_reserve;
    uint32_t hops;
};

/* Something that a worker sent and that is to reach its client as it is. */
struct expected {
    uint16_t call; /* index + 1; 0 for none */
    uint8_t command;
    uint8_t status;
    uint8_t fate;
    bool by_broker; /* the text is the broker's */
    uint32_t number;
    const uint8_t *body;
    size_t body_size;
    const uint8_t *metadata;
    size_t metadata_size;
};

/* How calls are spread over the workers, as far as it can be told from outside. */
enum spread {
    SPREAD_ANYHOW,
    SPREAD_LEAST,  /* to the one that has the fewest */
    SPREAD_STICKY, /* by key; without one, as above */
};

struct model_service {
    enum spread spread;
    bool names_method;          /* the configuration does, for clients that know none */
    uint32_t exports;           /* a bit per worker that registered it */
    uint32_t drained;           /* of those */
    uint32_t named;             /* of those: want to know who calls */
    uint32_t offers[NAMES];     /* a bit per worker that offers it */
    uint32_t repeatable[NAMES]; /* and declared it idempotent */
    uint32_t stall[NAMES][PEERS];
    uint32_t waiting[NAMES];
    uint32_t waiting_calls;
    uint64_t waiting_bytes;
    uint64_t needed[NAMES];   /* ms, at most, from dispatch to reply */
    uint64_t answered[NAMES]; /* when there was a reply last */
    uint64_t budget_least;    /* hundredths of repetitions that may be left … */
    uint64_t budget_most;
    uint64_t losing; /* calls that may be repeated, of the worker that is just lost */
};

struct model {
    uint64_t now;
    uint64_t settle_until;
    struct model_limits limits;
    bool draining;
    bool changed; /* calls that wait are to be looked at: what is served changed */
    bool quiet;   /* nothing may be sent in this event */
    bool losing;  /* a worker is lost in this event: calls may spend before others earn, or after */
    struct model_peer peers[PEERS];
    struct model_service services[SERVICES];
    uint32_t behind[KEYS + 1][PEERS]; /* workers that stand behind this one in the order of a key */
    struct model_call calls[CALLS];
    uint16_t live[CALLS];
    uint32_t live_count;
    uint16_t free[CALLS];
    uint32_t free_count;
    uint16_t loose[CALLS]; /* calls that this event must find a place for */
    uint32_t loose_count;
    uint32_t cancels_due;
    uint64_t grants_due;
    uint32_t uncertain;
    uint32_t unserved; /* calls that wait and came when nobody served them */
    uint32_t rescued;  /* calls that nobody serves, and were given to somebody in this event */
    struct expected expected;
    uint8_t giver; /* who gave a call back in this event; NOBODY */
    uint64_t serial;
    uint64_t used[USED]; /* worker-side ids seen, open addressing */
    uint32_t used_count;
    uint64_t received; /* calls */
    uint64_t outcomes; /* those of them that are over */
    uint64_t house_over;
};

static inline uint64_t bit(unsigned number)
{
    return UINT64_C(1) << number;
}

/* Events: to be told before the router is; model_events.c. */
void model_start(struct model *model, const struct model_limits *limits, uint64_t now);
void model_join(struct model *model, uint8_t peer, uint64_t number, bool nameless);
struct offer {
    uint8_t worker;
    uint8_t service;
    uint32_t methods; /* a bit each; with that of WHOLE it takes the whole service */
    uint32_t repeatable;
    uint32_t stall; /* of all its methods */
    bool named;
};
void model_register(struct model *model, const struct offer *offer);
void model_deregister(struct model *model, uint8_t worker, uint8_t service);
/* `workers`: a bit each. */
void model_drain(struct model *model, uint8_t service, uint32_t workers, bool drain);
void model_credit(struct model *model, uint8_t worker, uint32_t credit);
void model_leave(struct model *model, uint8_t worker);
uint16_t model_call(struct model *model, const struct request *request);
void model_cancel(struct model *model, uint8_t client, uint64_t client_id);
void model_grant(struct model *model, uint8_t client, uint64_t client_id, uint32_t parts);
void model_die(struct model *model, uint8_t peer);
void model_time(struct model *model, uint64_t now);
/* The broker is about to end: what waits is refused; of the house only if `accepted`. Returns how
 * many, but for those that are uncertain. */
size_t model_drop_waiting(struct model *model, bool accepted);

/* What the worker says that has the call; model_worker.c. */
void model_answer(struct model *model, uint16_t index, const struct expected *expected);
/* RETURN; `whole` if the request comes back with it as it should. */
void model_return(struct model *model, uint16_t index, bool whole);
void model_part(struct model *model, uint16_t index, const struct expected *expected);
void model_progress(struct model *model, uint16_t index, const struct expected *expected);

/* What the router sent; model_given.c and model_told.c. */
struct given {
    uint8_t worker;
    uint8_t service;
    uint8_t method;
    bool idempotent;
    bool oneway;
    bool stream;
    uint64_t worker_id;
    uint32_t timeout;
    const uint8_t *body;
    size_t body_size;
};
/* Returns the call. */
struct model_call *model_given(struct model *model, const struct given *given);
void model_told_cancel(struct model *model, uint8_t worker, uint64_t worker_id);
void model_told_grant(struct model *model, uint8_t worker, uint64_t worker_id, uint32_t parts);
struct told {
    uint8_t client;
    uint8_t command;
    uint8_t status;
    uint8_t fate;
    bool accepted; /* REPLY with ONEWAY */
    bool by_worker;
    uint64_t client_id;
    uint32_t number; /* the packet's timeout */
    const uint8_t *body;
    size_t body_size;
    const uint8_t *metadata; /* without the attempts */
    size_t metadata_size;
    struct attempt tried[TRIED];
    size_t tried_count;
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
void model_loosen(struct model *model, struct model_call *call, enum phase phase);
void model_release(struct model *model, struct model_call *call); /* its worker has it no more */
void model_end(struct model *model, struct model_call *call);     /* it is over and forgotten */
void model_outcome(struct model *model, struct model_call *call); /* nobody waits any more */
void model_unqueue(struct model *model, struct model_call *call);
void model_lose(struct model *model, struct model_call *call);
void model_spend_all(struct model *model);
uint32_t model_free_workers(const struct model *model);
/* A call that was lost with its worker goes on. */
void model_spend(struct model *model, const struct model_call *call);
/* Workers that may be given calls of the method, if they have room. */
uint32_t model_servers(const struct model *model, const struct request *asked);
/* Whose calls those are: the method itself if somebody offers it by name, else WHOLE. */
unsigned model_source(const struct model_service *service, unsigned method);
/* Workers that may be given calls of the method that wait, if they have room: what nobody else takes
 * and has no name goes to anybody. */
uint32_t model_takers(const struct model_service *service, unsigned method);
/* May its client say such names? Those outside the grammar are other protocols' alone. */
bool model_is_well_named(const struct model *model, const struct request *asked);
/* How many methods of the service something refers to, and with calls that may be over. */
void model_count_methods(const struct model *model, uint8_t service, size_t *least, size_t *most);
/* Is its request kept while a worker has it? */
static inline bool model_is_kept(const struct model_call *call)
{
    return call->idempotent || call->asked.method == WHOLE;
}
/* Is it offered at all, and may it wait until it is? */
bool model_is_offered(const struct model *model, const struct request *asked);
bool model_is_patient(const struct model *model, const struct model_call *call);
uint64_t model_crowd(const struct model *model, const struct model_call *call);
bool model_may_be_hopeless(const struct model *model, const struct model_call *call);

#endif
