/* The oracle of fault tests: calls by number, one outcome and one count of executions for each. */
#ifndef TESTS_KIT_CALLS_H
#define TESTS_KIT_CALLS_H

#include <busbar/client.h>

#include "tests/kit/kit.h"

struct kit_outcome {
    unsigned count; /* of outcomes: must become 1 */
    enum busbar_status status;
    enum busbar_fate fate;
    bool same;         /* the reply's body was the call's */
    unsigned executed; /* filled in by kit_calls_read_executions */
    uint64_t at;       /* ms */
    char error[80];
};

struct kit_calls {
    struct busbar_client *client;
    const char *service;
    struct kit_outcome *outcomes;
    size_t capacity;
    size_t started;
    size_t ended;
};

/* A client of the broker started last, which calls the service `test`. */
void kit_calls_init(struct kit_calls *calls, struct kit *kit, size_t capacity);
void kit_calls_fini(struct kit_calls *calls);

/* Starts a call whose body is its number; the number. */
size_t kit_calls_start(struct kit_calls *calls, const char *method, uint32_t timeout_ms);

/* Starts one with another body. */
size_t kit_calls_start_body(struct kit_calls *calls, const char *method, const char *body);

/* Takes in outcomes until one came, or the time is over. */
bool kit_calls_wait_one(struct kit_calls *calls, uint32_t timeout_ms);

/* Takes in outcomes until a program has said something. */
void kit_calls_wait_for_text(struct kit_calls *calls, struct kit_process *process,
                             const char *text);

/* Waits for all; fails if any call has not exactly one outcome then. */
void kit_calls_finish(struct kit_calls *calls, uint32_t timeout_ms);

/* Fails, and says which others there are, unless all outcomes are OK. */
void kit_calls_check_all_ok(const struct kit_calls *calls);

size_t kit_calls_count(const struct kit_calls *calls, enum busbar_status status);

/* Adds up the executions that a test_worker told of a method. */
void kit_calls_read_executions(struct kit_calls *calls, struct kit_process *worker,
                               const char *method);

/* What must hold of each outcome whatever happened: fate and executions agree. */
void kit_calls_check_fates(const struct kit_calls *calls, bool idempotent);

#endif
