/* Objects for the tests of pools: they fail, answer, and say of themselves what a test wants. */
#ifndef TESTS_UNIT_FAKE_MEMBER_H
#define TESTS_UNIT_FAKE_MEMBER_H

#include <busbar/object.h>
#include <stdatomic.h>

#include "objects/object.h"

struct fake_member {
    struct busbar_object object; /* the first member, so that each is a pointer to the other */
    atomic_int status;           /* of calls; OK: they answer with the id */
    atomic_int fate;             /* of calls that fail */
    atomic_int probe_status;
    atomic_int describe_status;
    atomic_uint delay_ms; /* of calls */
    atomic_uint calls;
    atomic_uint running;
    atomic_uint probes;
    atomic_uint last_timeout_ms;
    atomic_bool probe_takes_signals;             /* seen by a probe */
    struct object_method method;                 /* told by find and describe, if it has a name */
    void (*entered)(struct fake_member *member); /* in each call, before it ends */
    void *context;
};

/* Those that exist. */
extern atomic_int fake_members_alive;

struct fake_member *fake_member_new(const char *id);
/* The same of a kind that cannot be asked whether it is reached. */
struct fake_member *fake_member_local(const char *id);
/* Ends the test's own reference. */
void fake_member_unref(struct fake_member **member);

void fake_member_fail(struct fake_member *member, enum busbar_status status, enum busbar_fate fate);
/* Out of reach for calls and probes alike, or back. */
void fake_member_down(struct fake_member *member);
void fake_member_up(struct fake_member *member);

/* A pool of them, in this order, with time between probes; NULL-terminated. */
struct busbar_object *fake_pool(uint32_t probe_ms, struct fake_member *const *members);

/* Calls `method`; the status. `answered` is the id of the member that did, "" for none. */
enum busbar_status fake_call(struct busbar_object *pool, const char *method, char answered[32]);

struct busbar_pool_stats fake_stats(struct busbar_object *pool);

/* Waits, a few seconds at most, until so many members are aside. */
void fake_await_aside(struct busbar_object *pool, unsigned aside);

#endif
