/* Random events against the router: every call has one outcome, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"

enum {
    PEERS = 12,
    SERVICES = 3,
    IDS = 1 << 16,
    EVENTS = 400000,
};

/* Rules and registrations say one policy or the other. */
static char name_beta[] = "beta";
static char name_g[] = "g*";
static const struct service_rule RULES[] = {
    {.name = name_beta, .balance = BALANCE_ROUND_ROBIN, .queue_age = 4},
    {.name = name_g, .queue_calls = 3, .queue_bytes = 500},
};

/* What the test knows of a peer, by itself. */
struct model_peer {
    struct peer peer;
    uint8_t open[IDS]; /* calls made and without outcome, by the client's id */
    size_t open_count;
    uint64_t held[256]; /* worker-side ids given to it and not answered */
    size_t held_count;
    uint32_t credit;
    uint16_t next_id;
};

struct model {
    struct router router;
    struct counters counters;
    struct model_peer peers[PEERS];
    uint64_t now;
    uint64_t seed;
    uint64_t outcomes;
    uint64_t calls;
};

static uint64_t next_random(struct model *model)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed;
}

static size_t pick(struct model *model, size_t count)
{
    return next_random(model) % count;
}

static void model_outcome(struct model *model, struct model_peer *client, uint64_t id)
{
    assert_true(id < IDS);
    assert_int_equal(client->open[id], 1);
    client->open[id] = 0;
    client->open_count--;
    model->outcomes++;
}

static bool model_holds(const struct model_peer *peer, uint64_t id)
{
    for (size_t i = 0; i < peer->held_count; i++) {
        if (peer->held[i] == id)
            return true;
    }
    return false;
}

static void model_send(void *context, struct peer *to, const struct packet *packet,
                       struct blob *attached)
{
    struct model *model = context;
    struct model_peer *peer = CONTAINER_OF(to, struct model_peer, peer);
    (void)attached;
    assert_ptr_not_equal(to, &model->router.house);
    switch (packet->command) {
    case PACKET_CALL:
        assert_true(peer->held_count < peer->credit);
        assert_false(to->leaving);
        peer->held[peer->held_count++] = packet->id;
        break;
    case PACKET_REPLY:
    case PACKET_ERROR:
        model_outcome(model, peer, packet->id);
        break;
    case PACKET_PART:
    case PACKET_PROGRESS:
        assert_int_equal(peer->open[packet->id], 1);
        break;
    default:
        assert_true(packet->command == PACKET_CANCEL || packet->command == PACKET_GRANT);
        assert_true(model_holds(peer, packet->id));
        break;
    }
}

static struct bytes service_name(size_t service)
{
    static const char *const NAMES[SERVICES] = {"alpha", "beta", "gamma"};
    return bytes_of_text(NAMES[service]);
}

static void do_register(struct model *model, struct model_peer *peer)
{
    static const char *const METHODS[] = {"one", "two", "three"};
    struct registration registration = {.version = strdup(""),
                                        .weight = (uint32_t)pick(model, 300),
                                        .balance = (enum balance)pick(model, BALANCE_COUNT),
                                        .caller = pick(model, 4) == 0};
    const char *reason;
    size_t first = pick(model, 3);
    size_t count = 1 + pick(model, 3 - first);
    registration.methods = calloc(count, sizeof *registration.methods);
    registration.method_count = count;
    for (size_t i = 0; i < count; i++)
        registration.methods[i] = (struct registration_method){.name = strdup(METHODS[first + i]),
                                                               .signature = strdup(""),
                                                               .text = strdup(""),
                                                               .stall = (uint32_t)pick(model, 20),
                                                               .idempotent = pick(model, 2)};
    if (router_register(&model->router, &peer->peer, service_name(pick(model, SERVICES)),
                        &registration, &reason) == BUSBAR_OK)
        router_serve(&model->router, &peer->peer, model->now);
}

static void do_deregister(struct model *model, struct model_peer *peer)
{
    const char *reason;
    (void)!router_deregister(&model->router, &peer->peer, service_name(pick(model, SERVICES)),
                             &reason);
}

static void do_call(struct model *model, struct model_peer *peer)
{
    static const char *const METHODS[] = {"one", "two", "three", "four", "b d"};
    uint64_t id = peer->next_id++;
    if (peer->open[id])
        return;
    uint8_t metadata[32];
    struct metadata_writer writer = {.data = metadata, .capacity = sizeof metadata};
    if (pick(model, 4) == 0) {
        metadata_put_number(&writer, METADATA_WAIT, 4, pick(model, 30));
        metadata_put_number(&writer, METADATA_KEY, 1, pick(model, 8));
        metadata_put_number(&writer, METADATA_WINDOW, 4, pick(model, 3));
        metadata_put_number(&writer, METADATA_HOPS, 1, pick(model, 36));
    }
    struct packet packet = {.command = PACKET_CALL,
                            .flags = (uint8_t)(pick(model, 2) ? 0 : pick(model, 8)),
                            .metadata = metadata_written(&writer),
                            .id = id,
                            .timeout = (uint32_t)pick(model, 50),
                            .service = service_name(pick(model, SERVICES)),
                            .method = bytes_of_text(METHODS[pick(model, 5)]),
                            .body = bytes_of_text("body")};
    peer->open[id] = 1;
    peer->open_count++;
    model->calls++;
    router_call(&model->router, &peer->peer, &packet, NULL, model->now);
}

/* An answer, mostly to a call it holds, else to any number at all. */
static void do_answer(struct model *model, struct model_peer *peer)
{
    static const uint8_t COMMANDS[] = {PACKET_REPLY, PACKET_REPLY, PACKET_ERROR, PACKET_RETURN};
    struct packet packet = {.command = COMMANDS[pick(model, 4)],
                            .id = next_random(model),
                            .status = BUSBAR_APP_ERROR,
                            .service = bytes_of_text("alpha"),
                            .method = bytes_of_text("one"),
                            .body = bytes_of_text("body")};
    if (peer->held_count > 0 && pick(model, 16) != 0) {
        size_t at = pick(model, peer->held_count);
        packet.id = peer->held[at];
        peer->held[at] = peer->held[--peer->held_count];
    }
    if (packet.command == PACKET_RETURN)
        router_return(&model->router, &peer->peer, &packet, NULL, model->now);
    else
        router_reply(&model->router, &peer->peer, &packet, NULL, model->now);
}

/* A part or a sign of life, mostly of a call it holds. */
static void do_part(struct model *model, struct model_peer *peer)
{
    struct packet packet = {.id = next_random(model), .body = bytes_of_text("part")};
    if (peer->held_count > 0 && pick(model, 16) != 0)
        packet.id = peer->held[pick(model, peer->held_count)];
    if (pick(model, 2))
        router_part(&model->router, &peer->peer, &packet, NULL, model->now);
    else
        router_progress(&model->router, &peer->peer, &packet, model->now);
}

static void do_grant(struct model *model, struct model_peer *peer)
{
    router_grant(&model->router, &peer->peer, (uint16_t)(peer->next_id - pick(model, 10)),
                 (uint32_t)pick(model, 3), model->now);
}

static void do_drain(struct model *model, struct model_peer *peer)
{
    struct router_drained drained;
    bool on = pick(model, 3) == 0;
    (void)!router_drain(&model->router, service_name(pick(model, SERVICES)),
                        pick(model, 4) == 0 ? 0 : peer->peer.number, on, &drained, model->now);
    if (pick(model, 30) == 0)
        router_settle(&model->router, model->now + pick(model, 40));
}

/* An answer to a call that another worker holds: it must change nothing. */
static void do_forge(struct model *model, struct model_peer *peer)
{
    struct model_peer *victim = &model->peers[pick(model, PEERS)];
    if (victim == peer || victim->held_count == 0)
        return;
    struct packet packet = {.command = PACKET_REPLY, .id = victim->held[0]};
    uint64_t outcomes = model->outcomes;
    router_reply(&model->router, &peer->peer, &packet, NULL, model->now);
    assert_int_equal(outcomes, model->outcomes);
}

static void do_credit(struct model *model, struct model_peer *peer)
{
    peer->credit = (uint32_t)pick(model, 9);
    router_credit(&model->router, &peer->peer, peer->credit, model->now);
}

static void do_cancel(struct model *model, struct model_peer *peer)
{
    router_cancel(&model->router, &peer->peer, (uint16_t)(peer->next_id - pick(model, 30)),
                  model->now);
}

static void do_leave(struct model *model, struct model_peer *peer)
{
    if (pick(model, 20) == 0)
        router_leaving(&model->router, &peer->peer);
}

static void do_die(struct model *model, struct model_peer *peer)
{
    if (pick(model, 8) != 0)
        return;
    size_t open = peer->open_count;
    router_peer_fini(&model->router, &peer->peer, model->now);
    model->outcomes += peer->open_count; /* its own calls end with it, untold */
    assert_true(peer->open_count <= open);
    memset(peer, 0, sizeof *peer);
    peer->credit = 1;
    assert_true(router_peer_init(&model->router, &peer->peer));
}

static void do_wait(struct model *model, struct model_peer *peer)
{
    (void)peer;
    model->now += pick(model, 3);
    router_expire(&model->router, model->now);
}

static void model_step(struct model *model)
{
    static void (*const EVENT[])(struct model *, struct model_peer *) = {
        do_call,       do_call,   do_call,   do_call,   do_call,   do_call,
        do_answer,     do_answer, do_answer, do_answer, do_answer, do_register,
        do_deregister, do_credit, do_cancel, do_leave,  do_die,    do_wait,
        do_wait,       do_forge,  do_part,   do_part,   do_grant,  do_drain,
    };
    EVENT[pick(model, ARRAY_SIZE(EVENT))](model, &model->peers[pick(model, PEERS)]);
}

/* Each call counts under one outcome. */
static uint64_t model_counted(const struct model *model)
{
    uint64_t sum = 0;
#define ADD(name, text) sum += strncmp(#name, "outcome_", 8) == 0 ? model->counters.name : 0;
    COUNTER_TABLE(ADD)
#undef ADD
    return sum;
}

static void model_check(const struct model *model)
{
    size_t open = 0;
    assert_int_equal(model_counted(model), model->outcomes);
    assert_int_equal(model->counters.outcome_oneway, model->counters.oneway_done +
                                                         model->counters.oneway_failed +
                                                         model->router.house.call_count);
    router_check(&model->router);
    for (size_t i = 0; i < PEERS; i++) {
        router_check_peer(&model->router, &model->peers[i].peer);
        assert_int_equal(model->peers[i].peer.load, model->peers[i].held_count);
        open += model->peers[i].open_count;
    }
    assert_int_equal(model->calls, model->outcomes + open);
}

static void model_print(const struct model *model)
{
#define PRINT(name, text)                                                                          \
    print_message("%8llu %s\n", (unsigned long long)model->counters.name, #name);
    COUNTER_TABLE(PRINT)
#undef PRINT
}

static void random_events_break_no_invariant(void **state)
{
    struct model *model = calloc(1, sizeof *model);
    struct router_limits limits = {.body_limit = 1024,
                                   .queue_calls = 8,
                                   .queue_bytes = 10000,
                                   .retained_bytes = 4000,
                                   .attempts = 3,
                                   .queue_age = 40,
                                   .client_calls = 40,
                                   .waiting_calls = 6,
                                   .retry_percent = 2,
                                   .retry_reserve = 2,
                                   .hops = 32,
                                   .rules = RULES,
                                   .rule_count = ARRAY_SIZE(RULES)};
    struct router_sink sink = {.context = model, .send = model_send};
    const char *seed = getenv("BUSBAR_SEED");
    (void)state;
    model->seed = seed == NULL ? 20260101 : strtoull(seed, NULL, 0) | 1;
    print_message("seed %llu\n", (unsigned long long)model->seed);
    assert_true(router_init(&model->router, &limits, &sink, model->now));
    model->router.counters = &model->counters;
    for (size_t i = 0; i < PEERS; i++) {
        model->peers[i].credit = 1;
        assert_true(router_peer_init(&model->router, &model->peers[i].peer));
    }
    for (size_t i = 0; i < EVENTS; i++) {
        model_step(model);
        if (i % 64 == 0)
            model_check(model);
    }
    if (getenv("BUSBAR_VERBOSE") != NULL)
        model_print(model);
    assert_true(model->counters.outcome_ok > 1000 && model->counters.redispatched > 100);
    assert_true(model->counters.outcome_expired > 100 && model->counters.outcome_busy > 100);
    assert_true(model->counters.parts > 100 && model->counters.waited > 100);
    assert_true(model->counters.retries_spared > 0 && model->counters.outcome_stalled > 100);
    router_expire(&model->router, model->now + 1000); /* oneway calls need no client to wait */
    for (size_t i = 0; i < PEERS; i++) {
        model->peers[i].held_count = 0;
        router_peer_fini(&model->router, &model->peers[i].peer, model->now);
    }
    assert_int_equal(model->router.calls.count, 0);
    router_fini(&model->router);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_events_break_no_invariant)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
