/* Four threads call through a pool whose members fail and recover at random; each call is held to
 * what its members really did. The numbers are those of the promises of remoting. */
#include <busbar/object.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/object.h"
#include "objects/pool.h"

enum {
    THREADS = 4,
    PEERS = 6, /* the first is never out of reach */
    ROUNDS = 12,
    CHANGES = 60, /* of a round */
    PROBE_MS = 2,
    PATIENCE_MS = 10000,
};

struct peer {
    struct busbar_object object;
    atomic_bool up;
    atomic_uint used; /* calls that it answered */
};

static struct peer *peers[PEERS];
static struct busbar_object *pool;
static atomic_bool over;
static atomic_uint ended;
static atomic_uint rock_was_aside;

/* Of the call that this thread makes. */
static _Thread_local struct {
    uint64_t random;
    unsigned tried;
    unsigned executed;
    bool tried_twice;
    const struct peer *seen[PEERS];
} mine;

static unsigned pick(unsigned count)
{
    mine.random ^= mine.random << 13;
    mine.random ^= mine.random >> 7;
    mine.random ^= mine.random << 17;
    return (unsigned)(mine.random >> 33) % count;
}

static enum busbar_status fail_out_of_reach(void)
{
    static const enum busbar_status STATUSES[] = {BUSBAR_BROKER_LOST, BUSBAR_NO_SERVICE,
                                                  BUSBAR_NO_MEMBERS, BUSBAR_DRAINING};
    if (pick(3) > 0)
        return busbar_fail(STATUSES[pick(4)], BUSBAR_NOT_EXECUTED, "out of reach");
    mine.executed += pick(2);
    return busbar_fail(BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED, "lost on the way");
}

static enum busbar_status peer_call(struct busbar_object *object,
                                    const struct busbar_object_call *call,
                                    struct busbar_value **ret)
{
    struct peer *peer = CONTAINER_OF(object, struct peer, object);
    (void)call;
    for (unsigned i = 0; i < mine.tried; i++)
        mine.tried_twice = mine.tried_twice || mine.seen[i] == peer;
    mine.seen[mine.tried++ % PEERS] = peer;
    if (pick(8) == 0)
        usleep(pick(300));
    if (!peer->up)
        return fail_out_of_reach();
    switch (pick(16)) {
    case 0:
        return busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "busy");
    case 1:
        mine.executed += pick(2);
        return busbar_fail(BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, "crashed");
    case 2:
    case 3:
        mine.executed++;
        return busbar_fail(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "no luck");
    default:
        mine.executed++;
        peer->used++;
        *ret = busbar_value_bool(true);
        return BUSBAR_OK;
    }
}

static void peer_destroy(struct busbar_object *object)
{
    object_fini(object);
    free(CONTAINER_OF(object, struct peer, object));
}

static enum busbar_status peer_probe(struct busbar_object *object, uint32_t timeout_ms)
{
    const struct peer *peer = CONTAINER_OF(object, struct peer, object);
    (void)timeout_ms;
    return peer->up ? BUSBAR_OK
                    : busbar_fail(BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED, "out of reach");
}

static const struct object_class peer_class = {
    .kind = "peer", .call = peer_call, .destroy = peer_destroy, .probe = peer_probe};

static void hear(void *context, const char *name, const char *member, bool aside, const char *error)
{
    (void)context;
    (void)name;
    (void)error;
    rock_was_aside += aside && strcmp(member, "0") == 0;
}

/* What must hold of a call, whatever happened. 21, 22, 24 */
static bool call_once(void)
{
    bool idempotent = pick(2) == 0;
    struct busbar_value *value = NULL;
    const struct busbar_object_call call = {.method = idempotent ? "again" : "once"};
    mine.tried = mine.executed = 0;
    enum busbar_status status = busbar_object_call(pool, &call, &value);
    enum busbar_fate fate = status == BUSBAR_OK ? BUSBAR_EXECUTED : busbar_last_fate();
    bool good = !mine.tried_twice && mine.tried > 0 && mine.tried <= PEERS &&
                (status == BUSBAR_OK) == (value != NULL);
    good = good && (idempotent || mine.executed <= 1);
    good = good && (fate != BUSBAR_NOT_EXECUTED || mine.executed == 0);
    good = good && (fate != BUSBAR_EXECUTED || mine.executed >= 1);
    good = good && status != BUSBAR_NO_MEMBERS; /* there is always one */
    if (!good)
        fprintf(stderr, "%s: %s, %s, %u tried, %u executed\n", call.method,
                busbar_status_name(status), busbar_fate_name(fate), mine.tried, mine.executed);
    busbar_value_destroy(&value);
    return good;
}

static void *call_on(void *argument)
{
    uintptr_t bad = 0;
    mine.random = (uint64_t)(uintptr_t)argument;
    while (!over) {
        bad += !call_once();
        ended++;
    }
    return (void *)bad;
}

/* 20, 23: whoever is up is called again, soon. */
static void each_that_is_up_is_used(void)
{
    for (size_t i = 0; i < PEERS; i++) {
        unsigned before = peers[i]->used;
        uint64_t until = clock_ms() + PATIENCE_MS;
        while (peers[i]->up && peers[i]->used < before + 3) {
            if (clock_ms() > until)
                fail_msg("member %zu is up and not called", i);
            usleep(200);
        }
    }
}

static void change_at_random(void)
{
    for (int i = 0; i < CHANGES; i++) {
        struct peer *peer = peers[1 + pick(PEERS - 1)];
        switch (pick(4)) {
        case 0: /* not there for a while, in the middle of calls */
            assert_int_equal(busbar_pool_remove(pool, &peer->object), BUSBAR_OK);
            usleep(pick(200));
            assert_int_equal(busbar_pool_add(pool, &peer->object), BUSBAR_OK);
            break;
        default:
            peer->up = !peer->up;
        }
        usleep(pick(1000));
    }
}

static void make_all(void)
{
    struct busbar_object *members[PEERS];
    const struct busbar_pool_options options = {.members = members,
                                                .member_count = PEERS,
                                                .probe_ms = PROBE_MS,
                                                .idempotent = (const char *[]){"again", NULL}};
    for (size_t i = 0; i < PEERS; i++) {
        char id[] = {(char)('0' + i), '\0'};
        peers[i] = calloc(1, sizeof *peers[i]);
        peers[i]->up = true;
        assert_int_equal(object_init(&peers[i]->object, &peer_class), BUSBAR_OK);
        assert_true(object_set_id(&peers[i]->object, id));
        members[i] = &peers[i]->object;
    }
    assert_int_equal(busbar_pool_new(&pool, &options), BUSBAR_OK);
    pool_set_hook(pool, &(struct pool_hook){hear, NULL, NULL});
}

static void no_call_is_lost_and_no_member_forgotten_whatever_fails(void **state)
{
    const char *text = getenv("BUSBAR_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20260101;
    pthread_t threads[THREADS];
    (void)state;
    printf("seed %llu\n", (unsigned long long)seed);
    mine.random = seed;
    make_all();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_on, (void *)(seed + i + 1)), 0);
    for (int round = 0; round < ROUNDS; round++) {
        change_at_random();
        each_that_is_up_is_used();
    }
    for (size_t i = 0; i < PEERS; i++)
        peers[i]->up = true;
    each_that_is_up_is_used();
    over = true;
    for (size_t i = 0; i < THREADS; i++) {
        void *bad = NULL;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_true(ended > 0);
    assert_int_equal(rock_was_aside, 0); /* for all its errors; 21, 24 */
    busbar_object_destroy(&pool);
    for (size_t i = 0; i < PEERS; i++) {
        struct busbar_object *object = &peers[i]->object;
        busbar_object_destroy(&object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_is_lost_and_no_member_forgotten_whatever_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
