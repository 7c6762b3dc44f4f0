/*
 * The oracle of the fault tests: for every call, in a mapped file that all processes share, how often
 * it was executed and what outcomes it had. What it knows survives whoever is killed.
 */
#ifndef TESTS_FAULTS_ORACLE_H
#define TESTS_FAULTS_ORACLE_H

#include <busbar/client.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORACLE_WORKERS = 4096,
    ORACLE_STATUSES = 256,
    ORACLE_TEXTS = 8,
};

struct oracle_call {
    uint64_t began; /* ns */
    uint64_t ended; /* ns; of the last outcome */
    atomic_uint executed;
    atomic_uint outcomes;
    uint32_t timeout_ms;
    _Atomic uint16_t worker; /* that entered its handler last, of two at once perhaps; 0: nobody */
    uint8_t status;
    uint8_t fate;
    bool made; /* the library took it, so an outcome is due */
    bool idempotent;
    bool other_body; /* a reply that is not this call's */
};

struct oracle {
    size_t capacity;
    atomic_size_t begun;
    atomic_ullong killed_at[ORACLE_WORKERS]; /* ns; by the worker's number */
    atomic_ullong cancelled;                 /* handlers that saw it */
    atomic_uint text_count;
    char texts[ORACLE_TEXTS][256]; /* of the first calls that failed, for people */
    atomic_bool gate;              /* handlers of `gate` may answer */
    struct oracle_call calls[];
};

/* How many calls break which promise. */
struct oracle_faults {
    size_t calls;           /* all that were made */
    size_t without_outcome; /* lost */
    size_t with_several;    /* outcomes */
    size_t not_run;         /* OK, but never executed */
    size_t run_twice;       /* though not idempotent */
    size_t denied;          /* executed, though the fate says not */
    size_t claimed;         /* never executed, though the fate says so */
    size_t other_body;
    size_t idempotent_failed; /* idempotent and not OK; a fault only where that is promised */
    size_t statuses[ORACLE_STATUSES];
};

struct oracle *oracle_new(size_t capacity);
void oracle_free(struct oracle **oracle);

/* A new call; its id, which is not 0. Dies when there are more than the capacity. */
uint64_t oracle_begin(struct oracle *oracle, bool idempotent, uint32_t timeout_ms);
struct oracle_call *oracle_call(struct oracle *oracle, uint64_t id);
/* A handler has been entered. */
void oracle_execute(struct oracle *oracle, uint64_t id, unsigned worker);
void oracle_end(struct oracle *oracle, uint64_t id, const struct busbar_reply *reply);
/* The same of what a reply says; `told` is the id that an OK one begins with. */
struct oracle_outcome {
    enum busbar_status status;
    enum busbar_fate fate;
    uint64_t told;
};
void oracle_note(struct oracle *oracle, uint64_t id, struct oracle_outcome outcome);

/* When nothing runs any more. */
struct oracle_faults oracle_judge(struct oracle *oracle);
/* No promise is broken that holds always. */
bool oracle_is_content(const struct oracle_faults *faults);
void oracle_print(const struct oracle *oracle, const struct oracle_faults *faults);

#endif
