/* Overload in simulated time: a worker of four threads is offered ten times what it can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"

enum {
    THREADS = 4,
    HANDLER_MS = 5,
    DEADLINE_MS = 1000,
    SECONDS = 20,
    HELD_MAX = 1024,
};

/* A worker that queues what its threads have no time for, and refuses what comes too late. */
struct shop {
    struct router router;
    struct counters counters;
    struct peer client;
    struct peer worker;
    struct {
        uint64_t id;
        uint64_t deadline;
    } held[HELD_MAX];
    size_t first;
    size_t last;
    struct {
        uint64_t id;
        uint64_t until; /* 0: idle */
    } threads[THREADS];
    uint64_t now;
    uint64_t random;
    uint64_t good;   /* replies before their deadlines */
    uint64_t errors; /* told to the client */
    unsigned jitter; /* ms a handler may take more */
};

static void shop_send(void *context, struct peer *to, const struct packet *packet,
                      struct blob *attached)
{
    struct shop *shop = context;
    (void)attached;
    if (to == &shop->client) {
        shop->good += packet->command == PACKET_REPLY;
        shop->errors += packet->command == PACKET_ERROR;
    } else if (packet->command == PACKET_CALL) {
        assert_true(shop->last - shop->first < HELD_MAX);
        shop->held[shop->last % HELD_MAX].id = packet->id;
        shop->held[shop->last++ % HELD_MAX].deadline = shop->now + packet->timeout;
    }
}

static void shop_open(struct shop *shop, uint64_t credit, uint64_t queue_calls)
{
    struct router_limits limits = {.body_limit = 1024,
                                   .queue_calls = queue_calls,
                                   .queue_bytes = 1 << 30,
                                   .retained_bytes = 1 << 30,
                                   .attempts = 3};
    struct router_sink sink = {.context = shop, .send = shop_send};
    struct registration registration = {.version = strdup("")};
    const char *reason;
    memset(shop, 0, sizeof *shop);
    shop->now = 1000;
    shop->random = 88172645463325252u;
    assert_true(router_init(&shop->router, &limits, &sink, shop->now));
    shop->router.counters = &shop->counters;
    assert_true(router_peer_init(&shop->router, &shop->client));
    assert_true(router_peer_init(&shop->router, &shop->worker));
    registration.methods = calloc(1, sizeof *registration.methods);
    registration.method_count = 1;
    registration.methods[0] = (struct registration_method){
        .name = strdup("sleep"), .signature = strdup(""), .text = strdup("")};
    router_credit(&shop->router, &shop->worker, credit, shop->now);
    assert_int_equal(router_register(&shop->router, &shop->worker, bytes_of_text("shop"),
                                     &registration, &reason),
                     BUSBAR_OK);
}

static void shop_close(struct shop *shop)
{
    router_check(&shop->router);
    router_peer_fini(&shop->router, &shop->client, shop->now);
    router_peer_fini(&shop->router, &shop->worker, shop->now);
    router_fini(&shop->router);
}

static void shop_call(struct shop *shop)
{
    static uint64_t id;
    id++;
    struct packet packet = {.command = PACKET_CALL,
                            .id = id,
                            .timeout = DEADLINE_MS,
                            .service = bytes_of_text("shop"),
                            .method = bytes_of_text("sleep")};
    router_call(&shop->router, &shop->client, &packet, NULL, shop->now);
}

static void shop_answer(struct shop *shop, uint64_t id, bool expired)
{
    struct packet packet = {.command = PACKET_REPLY, .id = id};
    if (expired) {
        packet.command = PACKET_ERROR;
        packet.status = BUSBAR_EXPIRED;
    }
    router_reply(&shop->router, &shop->worker, &packet, NULL, shop->now);
}

static unsigned handler_ms(struct shop *shop)
{
    shop->random ^= shop->random << 13;
    shop->random ^= shop->random >> 7;
    shop->random ^= shop->random << 17;
    return HANDLER_MS + (shop->jitter == 0 ? 0 : (unsigned)(shop->random % (shop->jitter + 1)));
}

/* The threads finish what is done and begin what waits. */
static void shop_work(struct shop *shop)
{
    for (size_t i = 0; i < THREADS; i++) {
        uint64_t until = shop->threads[i].until;
        if (until != 0 && until <= shop->now) {
            shop->threads[i].until = 0;
            shop_answer(shop, shop->threads[i].id, false);
        }
        while (shop->threads[i].until == 0 && shop->first < shop->last) {
            size_t at = shop->first++ % HELD_MAX;
            if (shop->held[at].deadline <= shop->now) {
                shop_answer(shop, shop->held[at].id, true);
                continue;
            }
            shop->threads[i].id = shop->held[at].id;
            shop->threads[i].until = shop->now + handler_ms(shop);
        }
    }
}

/* Offers `tenths` of a call each ms; returns the good replies of the time but for its first second. */
static uint64_t shop_run(struct shop *shop, unsigned tenths, unsigned seconds)
{
    uint64_t end = shop->now + seconds * UINT64_C(1000);
    uint64_t warm = shop->now + 1000;
    uint64_t before = 0;
    unsigned due = 0;
    while (shop->now < end) {
        shop->now++;
        router_expire(&shop->router, shop->now);
        shop_work(shop);
        for (due += tenths; due >= 10; due -= 10)
            shop_call(shop);
        if (shop->now == warm)
            before = shop->good;
    }
    return shop->good - before;
}

static void goodput_holds_at_twice_and_ten_times_the_capacity(void **state)
{
    static const unsigned OFFERED[] = {2, 10};
    static const struct {
        uint64_t credit;
        uint64_t queue_calls;
        unsigned jitter;
    } CASES[] = {
        {4, 100000, 0}, {8, 100000, 0},  {64, 100000, 0}, {4, 100000, 10}, {8, 100000, 10},
        {64, 1000, 10}, {200, 1000, 10}, {8, 100, 10},    {4, 1000, 20},   {4, 1000, 40},
    };
    struct shop *shop = calloc(1, sizeof *shop);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(OFFERED); j++) {
            uint64_t each = 2 * HANDLER_MS + CASES[i].jitter; /* half ms, on average */
            uint64_t peak = (SECONDS - 1) * UINT64_C(1000) * THREADS * 2 / each;
            shop_open(shop, CASES[i].credit, CASES[i].queue_calls);
            shop->jitter = CASES[i].jitter;
            uint64_t good = shop_run(shop, (unsigned)(OFFERED[j] * THREADS * 20 / each), SECONDS);
            print_message("credit %llu, queue %llu, jitter %u, offered %ux: %llu of %llu\n",
                          (unsigned long long)CASES[i].credit,
                          (unsigned long long)CASES[i].queue_calls, CASES[i].jitter, OFFERED[j],
                          (unsigned long long)good, (unsigned long long)peak);
            assert_true(good * 10 >= peak * 9);
            shop_close(shop);
        }
    }
    free(shop);
}

static void after_an_overload_calls_succeed_within_two_seconds(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    (void)state;
    shop_open(shop, 64, 100000);
    shop->jitter = 10;
    (void)shop_run(shop, 80, 5);
    (void)shop_run(shop, 2, 2);
    uint64_t errors = shop->errors;
    uint64_t good = shop->good;
    (void)shop_run(shop, 2, 5);
    assert_int_equal(shop->errors, errors);
    assert_in_range(shop->good - good, 990, 1001);
    shop_close(shop);
    free(shop);
}

/* For a minute handlers take longer than any deadline, then they are quick again. */
static void a_service_that_was_slow_is_not_starved_afterwards(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    (void)state;
    shop_open(shop, 4, 100000);
    shop->jitter = 20000;
    (void)shop_run(shop, 80, 60);
    shop->jitter = 0;
    (void)shop_run(shop, 80, 25); /* the slow ones end at last */
    uint64_t good = shop_run(shop, 80, SECONDS);
    assert_true(good * 10 >= (SECONDS - 1) * UINT64_C(800) * 9);
    shop_close(shop);
    free(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goodput_holds_at_twice_and_ten_times_the_capacity),
        cmocka_unit_test(after_an_overload_calls_succeed_within_two_seconds),
        cmocka_unit_test(a_service_that_was_slow_is_not_starved_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
