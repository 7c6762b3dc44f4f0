/* Policies: which of four workers gets how many calls, and which stay with their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

enum {
    WORKERS = 4,
    KEYS = 1000,
    CREDIT = 60000,
};

static struct peer workers[WORKERS];
static size_t given[WORKERS];

static void join(size_t at, enum balance balance, uint32_t weight)
{
    assert_true(router_peer_init(&rig.router, &workers[at]));
    memset(workers[at].instance, (int)at + 1, sizeof workers[at].instance);
    rig.words = (struct registration){.balance = balance, .weight = weight};
    router_credit(&rig.router, &workers[at], CREDIT, rig.now);
    assert_int_equal(rig_export(&workers[at], "greeter", GREETER), BUSBAR_OK);
}

static void scene_of(enum balance balance, const uint32_t weights[WORKERS])
{
    for (size_t i = 0; i < WORKERS; i++)
        join(i, balance, weights == NULL ? 0 : weights[i]);
}

static int leave_all(void **state)
{
    for (size_t i = 0; i < WORKERS; i++)
        router_peer_fini(&rig.router, &workers[i], rig.now);
    return scene_teardown(state);
}

/* Calls once with a key, empty for none; returns who got it. It is not answered. */
static size_t call_with_key(const char *key)
{
    uint8_t room[300];
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    struct packet packet = rig_request(1, "greeter", "hello");
    metadata_put(&writer, METADATA_KEY, bytes_of_text(key));
    packet.metadata = metadata_written(&writer);
    rig_forget();
    rig_call_with(&client, &packet);
    for (size_t i = 0; i < WORKERS; i++) {
        if (rig_count(&workers[i], PACKET_CALL) == 1)
            return i;
    }
    return WORKERS;
}

static void call_often(size_t count)
{
    memset(given, 0, sizeof given);
    for (size_t i = 0; i < count; i++) {
        size_t at = call_with_key("");
        assert_true(at < WORKERS);
        given[at]++;
    }
}

static void each_policy_gives_in_proportion_to_the_weights(void **state)
{
    static const uint32_t WEIGHTS[WORKERS] = {100, 200, 300, 400};
    static const struct {
        enum balance balance;
        size_t slack;
    } CASES[] = {
        {BALANCE_LEAST_LOADED, 2}, {BALANCE_ROUND_ROBIN, 0}, {BALANCE_RANDOM, 200},
        {BALANCE_UNSET, 2},        {BALANCE_STICKY, 2}, /* without a key */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        scene_of(CASES[i].balance, WEIGHTS);
        call_often(2000);
        for (size_t j = 0; j < WORKERS; j++) {
            assert_in_range(given[j] + CASES[i].slack, 200 * (j + 1),
                            200 * (j + 1) + 2 * CASES[i].slack);
            router_peer_fini(&rig.router, &workers[j], rig.now);
            assert_true(router_peer_init(&rig.router, &workers[j]));
        }
    }
}

static void turns_of_unequal_weights_are_spread_evenly(void **state)
{
    static const uint32_t WEIGHTS[WORKERS] = {500, 100, 100, 1};
    static const size_t ORDER[] = {0, 0, 1, 0, 2, 0, 0};
    (void)state;
    scene_of(BALANCE_ROUND_ROBIN, WEIGHTS);
    router_leaving(&rig.router, &workers[3]);
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++)
        assert_int_equal(call_with_key(""), ORDER[i]);
}

static void no_policy_goes_beyond_the_credit(void **state)
{
    (void)state;
    for (int balance = BALANCE_UNSET; balance < BALANCE_COUNT; balance++) {
        scene_of((enum balance)balance, NULL);
        for (size_t i = 0; i < WORKERS; i++)
            router_credit(&rig.router, &workers[i], i, rig.now);
        for (size_t i = 0; i < 0 + 1 + 2 + 3; i++)
            assert_in_range(call_with_key("key"), 1, WORKERS - 1);
        assert_int_equal(call_with_key("key"), WORKERS); /* it is queued */
        for (size_t i = 0; i < WORKERS; i++) {
            assert_int_equal(workers[i].load, i);
            router_peer_fini(&rig.router, &workers[i], rig.now);
            assert_true(router_peer_init(&rig.router, &workers[i]));
        }
    }
}

static size_t place_of_key(size_t at)
{
    char key[16];
    snprintf(key, sizeof key, "key %zu", at);
    return call_with_key(key);
}

/* Calls so often, and has everything answered after that. */
static void call_and_answer(size_t count)
{
    struct {
        size_t worker;
        uint64_t id;
    } asked[100];
    assert_in_range(count, 0, ARRAY_SIZE(asked));
    for (size_t i = 0; i < count; i++) {
        asked[i].worker = call_with_key("");
        asked[i].id = rig_last(&workers[asked[i].worker], PACKET_CALL)->packet.id;
    }
    for (size_t i = 0; i < count; i++)
        rig_reply(&workers[asked[i].worker], asked[i].id, "x");
}

/* How many calls go to the same worker before another has one. */
static size_t row_of_calls(void)
{
    size_t first = call_with_key("");
    size_t count = 1;
    while (call_with_key("") == first)
        count++;
    return count;
}

static void who_answered_is_given_as_many_in_a_row(void **state)
{
    static const struct {
        uint32_t credit;
        unsigned pause_ms;
        size_t row;
    } CASES[] = {
        {1024, 0, 25}, {1024, 16, 25}, {128, 0, 16}, {64, 0, 4}, {1024, 17, 1}, {31, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        scene_of(BALANCE_LEAST_LOADED, NULL);
        for (size_t j = 0; j < WORKERS; j++)
            router_credit(&rig.router, &workers[j], CASES[i].credit, rig.now);
        call_and_answer(100);
        rig.now += CASES[i].pause_ms;
        assert_int_equal(row_of_calls(), CASES[i].row);
        for (size_t j = 0; j < WORKERS; j++) {
            router_peer_fini(&rig.router, &workers[j], rig.now);
            assert_true(router_peer_init(&rig.router, &workers[j]));
        }
    }
}

/* As many clients as there are workers, each of which calls again so long after its answer. Handlers take
 * 10 ms, so that one is always free. */
static void none_is_given_a_call_while_another_is_free(unsigned apart_ms, unsigned pause_ms)
{
    uint64_t due[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        due[call_with_key("")] = rig.now + 10;
        rig_pass(apart_ms);
    }
    for (unsigned turn = 0; turn < 1000; turn++, rig_pass(1)) {
        for (size_t i = 0; i < WORKERS; i++) {
            if (due[i] > rig.now)
                continue;
            struct call *call = CONTAINER_OF(list_first(&workers[i].running), struct call, place);
            rig_reply(&workers[i], call_id(call), "x");
            rig_pass(pause_ms);
            size_t next = call_with_key("");
            assert_int_equal(workers[next].load, 1);
            due[next] = rig.now + 10;
        }
    }
}

/* A fixed credit does not tell how quick handlers are. */
static void who_takes_long_is_given_none_in_a_row(void **state)
{
    static const unsigned CASES[][2] = {{3, 1}, {3, 0}, {0, 1}, {0, 0}, {1, 0}, {4, 5}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        scene_of(BALANCE_LEAST_LOADED, NULL);
        none_is_given_a_call_while_another_is_free(CASES[i][0], CASES[i][1]);
        for (size_t j = 0; j < WORKERS; j++) {
            router_peer_fini(&rig.router, &workers[j], rig.now);
            assert_true(router_peer_init(&rig.router, &workers[j]));
        }
    }
}

static void a_key_stays_and_few_move_when_a_worker_goes_or_comes(void **state)
{
    static size_t places[KEYS];
    size_t back = 0;
    (void)state;
    scene_of(BALANCE_STICKY, NULL);
    memset(given, 0, sizeof given);
    for (size_t i = 0; i < KEYS; i++) {
        places[i] = place_of_key(i);
        given[places[i]]++;
        assert_int_equal(place_of_key(i), places[i]);
    }
    for (size_t i = 0; i < WORKERS; i++)
        assert_in_range(given[i], 200, 300);
    rig_lose(&workers[0]);
    for (size_t i = 0; i < KEYS; i++) {
        size_t place = place_of_key(i);
        assert_true(places[i] == 0 ? place != 0 : place == places[i]);
    }
    join(0, BALANCE_STICKY, 0); /* the same instance: as after a restart of the broker */
    for (size_t i = 0; i < KEYS; i++)
        back += place_of_key(i) == places[i];
    assert_int_equal(back, KEYS);
}

static void keys_follow_the_weights(void **state)
{
    static const uint32_t WEIGHTS[WORKERS] = {100, 100, 100, 700};
    (void)state;
    scene_of(BALANCE_STICKY, WEIGHTS);
    memset(given, 0, sizeof given);
    for (size_t i = 0; i < KEYS; i++)
        given[place_of_key(i)]++;
    assert_in_range(given[3], 640, 760);
    assert_in_range(given[0], 60, 140);
}

static void a_key_whose_worker_is_full_spills_to_the_same_next_one(void **state)
{
    (void)state;
    scene_of(BALANCE_STICKY, NULL);
    size_t first = call_with_key("key");
    router_credit(&rig.router, &workers[first], 1, rig.now);
    size_t next = call_with_key("key");
    assert_true(next != first && next < WORKERS);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call_with_key("key"), next);
    router_credit(&rig.router, &workers[first], CREDIT, rig.now);
    assert_int_equal(call_with_key("key"), first);
}

static const struct service *greeter(void)
{
    return registry_find_service(&rig.router.registry, bytes_of_text("greeter"));
}

static void of_several_registrations_the_first_that_says_a_policy_counts(void **state)
{
    (void)state;
    join(0, BALANCE_UNSET, 0);
    join(1, BALANCE_ROUND_ROBIN, 0);
    join(2, BALANCE_STICKY, 0);
    join(3, BALANCE_LEAST_LOADED, 0);
    assert_int_equal(greeter()->balance, BALANCE_ROUND_ROBIN);
    rig_lose(&workers[1]);
    assert_int_equal(greeter()->balance, BALANCE_STICKY);
}

static int scene_with_a_rule(void **state)
{
    static char name[] = "greeter";
    static const struct service_rule RULE = {.name = name, .balance = BALANCE_RANDOM};
    rig_limits.rules = &RULE;
    rig_limits.rule_count = 1;
    return scene_setup(state);
}

static void the_rule_comes_before_the_registrations(void **state)
{
    (void)state;
    scene_of(BALANCE_STICKY, NULL);
    assert_int_equal(greeter()->balance, BALANCE_RANDOM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, leave_all)
    const struct CMUnitTest tests[] = {
        TEST(each_policy_gives_in_proportion_to_the_weights),
        TEST(turns_of_unequal_weights_are_spread_evenly),
        TEST(no_policy_goes_beyond_the_credit),
        TEST(who_answered_is_given_as_many_in_a_row),
        TEST(who_takes_long_is_given_none_in_a_row),
        TEST(a_key_stays_and_few_move_when_a_worker_goes_or_comes),
        TEST(keys_follow_the_weights),
        TEST(a_key_whose_worker_is_full_spills_to_the_same_next_one),
        TEST(of_several_registrations_the_first_that_says_a_policy_counts),
        cmocka_unit_test_setup_teardown(the_rule_comes_before_the_registrations, scene_with_a_rule,
                                        leave_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
