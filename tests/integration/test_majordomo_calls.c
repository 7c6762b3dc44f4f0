/* Calls between clients and workers of 0.1, of 0.2 and native ones, and of the dialects beside them. */
#include <stdio.h>
#include <string.h>

#include "tests/kit/asker.h"
#include "tests/kit/scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    NATIVE = MDP_DIALECTS, /* beside the dialects */
};

static void start_broker(struct kit *kit, const char *text)
{
    kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

static void start_native_worker(struct kit *kit, const char *service)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", service, NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
}

/* All nine ------------------------------------------------------------------------------------- */

static const int kinds[] = {MDP_01, MDP_02, NATIVE};

static const char *const bodies[] = {"-", "*1048576", "one - three", "- -", "*1048576 *1048576 -"};

static struct mdp_peer *start_worker(struct kit *kit, int kind, const char *service)
{
    if (kind != NATIVE)
        return mdp_worker(kit, (enum mdp_dialect)kind, service);
    start_native_worker(kit, service);
    return NULL;
}

static void serve(struct mdp_peer *worker, const char *body)
{
    if (worker == NULL)
        return; /* it does by itself */
    mdp_hear(worker, MDP_WORK, body);
    mdp_say(worker, MDP_FINAL, body);
}

static void call_natively(struct kit *kit, struct mdp_peer *worker, const char *service)
{
    struct asker asker;
    asker_init(&asker, kit, service);
    for (size_t i = 0; i < COUNT(bodies); i++) {
        asker_call(&asker, "echo", bodies[i], NULL);
        serve(worker, bodies[i]);
        asker_hear(&asker, bodies[i]);
    }
    asker_fini(&asker);
}

static void call(struct mdp_peer *client, struct mdp_peer *worker)
{
    for (size_t i = 0; i < COUNT(bodies); i++) {
        mdp_say(client, MDP_REQUEST, bodies[i]);
        serve(worker, bodies[i]);
        mdp_hear(client, MDP_REPLY, bodies[i]);
    }
}

static void every_kind_of_client_calls_every_kind_of_worker(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "services: {\"echo-*\": {majordomo: {method: echo}}}\n");
    for (size_t i = 0; i < COUNT(kinds) * COUNT(kinds); i++) {
        int caller = kinds[i / COUNT(kinds)];
        char service[32];
        snprintf(service, sizeof service, "echo-%zu", i);
        struct mdp_peer *worker = start_worker(kit, kinds[i % COUNT(kinds)], service);
        if (caller == NATIVE)
            call_natively(kit, worker, service);
        else
            call(mdp_peer(kit, (enum mdp_dialect)caller, service), worker);
    }
}

static void a_client_on_a_req_socket_is_answered(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "services: {native: {majordomo: {method: echo}}}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "req");
    struct mdp_peer *client = mdp_req(kit, "req");
    struct mdp_peer *other = mdp_req(kit, "native");
    start_native_worker(kit, "native");
    for (int i = 0; i < 3; i++) {
        call(client, worker);
        call(other, NULL);
    }
}

/* Many at once, in whatever order the workers answer: each client gets its own. */
static void replies_find_the_client_whose_request_they_answer(void **state)
{
    enum { CLIENTS = 8 };
    struct kit *kit = *state;
    struct mdp_peer *clients[CLIENTS], *workers[CLIENTS];
    char text[32];
    start_broker(kit, "{}\n");
    for (int i = 0; i < CLIENTS; i++)
        workers[i] = mdp_worker(kit, i % 2 ? MDP_01 : MDP_02, "crowd");
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = mdp_peer(kit, i / 2 % 2 ? MDP_01 : MDP_02, "crowd");
        snprintf(text, sizeof text, "from %d", i);
        mdp_say(clients[i], MDP_REQUEST, text);
    }
    for (int i = CLIENTS - 1; i >= 0; i--)
        mdp_echo(workers[i]);
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof text, "from %d", i);
        mdp_hear(clients[i], MDP_REPLY, text);
    }
}

/* Bodies --------------------------------------------------------------------------------------- */

/* What a native body becomes: frames only if it is a list of two byte strings or more. */
static void native_bodies_become_frames_if_they_are_such_lists(void **state)
{
    static const struct {
        const char *sent;
        enum busbar_encoding encoding;
        const char *arrives;
    } cases[] = {
        {"x92c40161c40162", BUSBAR_MESSAGEPACK, "a b"},
        {"x93c400c40161c400", BUSBAR_MESSAGEPACK, "- a -"},
        {"x92c5000161c60000000162", BUSBAR_MESSAGEPACK, "a b"},
        {"xdc0002c40161c40162", BUSBAR_MESSAGEPACK, "a b"},
        {"xdd00000002c40161c40162", BUSBAR_MESSAGEPACK, "a b"},
        {"x92c40161c40162", BUSBAR_RAW, "x92c40161c40162"},
        {"x90", BUSBAR_MESSAGEPACK, "x90"},
        {"x91c40161", BUSBAR_MESSAGEPACK, "x91c40161"},
        {"x92a161a162", BUSBAR_MESSAGEPACK, "x92a161a162"},
        {"x92c4016101", BUSBAR_MESSAGEPACK, "x92c4016101"},
        {"x92c4016191c40162", BUSBAR_MESSAGEPACK, "x92c4016191c40162"},
        {"x92c40161", BUSBAR_MESSAGEPACK, "x92c40161"},
        {"x92c40161c40162c0", BUSBAR_MESSAGEPACK, "x92c40161c40162c0"},
        {"x92c40161c4ff62", BUSBAR_MESSAGEPACK, "x92c40161c4ff62"},
        {"xddffffffffc40161", BUSBAR_MESSAGEPACK, "xddffffffffc40161"},
        {"x81c40161c40162", BUSBAR_MESSAGEPACK, "x81c40161c40162"},
        {"xc40161", BUSBAR_MESSAGEPACK, "xc40161"},
        {"xa161", BUSBAR_MESSAGEPACK, "xa161"},
    };
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "bodies");
    asker_init(&asker, kit, "bodies");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct busbar_call more = {.body.encoding = cases[i].encoding};
        kit->doing = cases[i].sent;
        asker_call(&asker, "any_method_at_all", cases[i].sent, &more);
        mdp_hear(worker, MDP_WORK, cases[i].arrives);
        mdp_say(worker, MDP_FINAL, cases[i].arrives);
        asker_hear(&asker, cases[i].arrives);
    }
    kit->doing = NULL;
    asker_fini(&asker);
}

/* The other way: what a native worker is given, byte by byte. */
static void frames_become_a_body_that_a_native_worker_can_read(void **state)
{
    static const struct {
        const char *sent;
        uint8_t encoding;
        struct bytes arrives;
    } cases[] = {
        {"", PACKET_RAW, SCENE_BYTES("")},
        {"-", PACKET_RAW, SCENE_BYTES("")},
        {"one", PACKET_RAW, SCENE_BYTES("one")},
        {"x92c40161c40162", PACKET_RAW, SCENE_BYTES("\x92\xc4\1a\xc4\1b")},
        {"a b", PACKET_MESSAGEPACK, SCENE_BYTES("\x92\xc4\1a\xc4\1b")},
        {"- -", PACKET_MESSAGEPACK, SCENE_BYTES("\x92\xc4\0\xc4\0")},
    };
    struct kit *kit = *state;
    struct packet packet;
    start_broker(kit, "services: {hand: {majordomo: {method: m}}}\n");
    struct kit_peer *worker = kit_peer(kit);
    kit_peer_join(worker);
    scene_register(worker, scene_plain);
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "hand");
    for (size_t i = 0; i < COUNT(cases); i++) {
        kit->doing = cases[i].sent;
        mdp_say(client, MDP_REQUEST, cases[i].sent);
        kit_peer_expect(worker, PACKET_CALL, &packet);
        assert_int_equal(packet.encoding, cases[i].encoding);
        assert_int_equal(packet.body.size, cases[i].arrives.size);
        assert_memory_equal(packet.body.data, cases[i].arrives.data, packet.body.size);
        const struct packet reply = {.command = PACKET_REPLY,
                                     .id = packet.id,
                                     .fate = BUSBAR_EXECUTED,
                                     .encoding = cases[i].encoding,
                                     .body = cases[i].arrives};
        kit_peer_send_packets(worker, &reply, 1);
        mdp_hear(client, MDP_REPLY, *cases[i].sent != '\0' ? cases[i].sent : "-");
    }
    kit->doing = NULL;
}

/* Methods -------------------------------------------------------------------------------------- */

static void native_calls_tell_their_method_where_the_file_wants_it(void **state)
{
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "services:\n"
                      "  framed: {majordomo: {method_frame: true}}\n"
                      "  both: {majordomo: {method_frame: true, method: brew}}\n");
    static const char *const names[] = {"framed", "both"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct mdp_peer *worker = mdp_worker(kit, MDP_01, names[i]);
        struct mdp_peer *client = mdp_peer(kit, MDP_01, names[i]);
        kit->doing = names[i];
        asker_init(&asker, kit, names[i]);
        asker_call(&asker, "brew", "-", NULL);
        serve(worker, "brew -");
        asker_hear(&asker, "brew -");
        asker_call(&asker, "grind", "a - c", NULL);
        serve(worker, "grind a - c");
        asker_hear(&asker, "grind a - c");
        mdp_say(client, MDP_REQUEST, "of Majordomo");
        serve(worker, "of Majordomo");
        mdp_hear(client, MDP_REPLY, "of Majordomo");
        asker_fini(&asker);
    }
    kit->doing = NULL;
}

static void the_first_frame_names_the_method_if_the_file_does_not(void **state)
{
    static const struct {
        const char *request;
        const char *reply; /* NULL for none */
    } cases[] = {
        {"echo body", "body"},   {"echo", "-"},
        {"echo -", "-"},         {"echo a b", "a b"},
        {"echo - -", "- -"},     {"echo *1048576", "*1048576"},
        {"echo +1023", "+1023"}, {"sleep 20", "slept"},
        {"nothing body", NULL},  {"", NULL},
        {"- body", NULL},        {"x656300 body", NULL},
    };
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {wait: 10ms}\n");
    start_native_worker(kit, "natural");
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        struct mdp_peer *client = mdp_peer(kit, i % 2 ? MDP_02 : MDP_01, "natural");
        kit->doing = cases[i / 2].request;
        mdp_say(client, MDP_REQUEST, cases[i / 2].request);
        if (cases[i / 2].reply != NULL)
            mdp_hear(client, MDP_REPLY, cases[i / 2].reply);
        else
            mdp_hear_nothing(client, 50);
    }
    kit->doing = NULL;
}

static void a_request_waits_for_a_native_worker_too(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "services: {later: {majordomo: {method: echo}}}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "later");
    mdp_say(client, MDP_REQUEST, "early");
    mdp_hear_nothing(client, 50);
    start_native_worker(kit, "later");
    mdp_hear(client, MDP_REPLY, "early");
}

/* A service of both kinds: whom a call can be given to. */
static void calls_are_shared_between_workers_of_both_kinds(void **state)
{
    enum { CALLS = 40 };
    struct kit *kit = *state;
    struct asker asker;
    unsigned majordomo = 0;
    struct mdp_frames frames;
    start_broker(kit, "services: {shared: {majordomo: {method: sleep}}}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "shared");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "shared");
    mdp_check_serves(kit, worker);
    start_native_worker(kit, "shared");
    asker_init(&asker, kit, "shared");
    for (int i = 0; i < CALLS; i++) {
        asker_call(&asker, "sleep", "1", NULL);
        mdp_say(client, MDP_REQUEST, "1");
    }
    while (mdp_receive(worker, &frames, kit_time(500))) {
        memcpy(worker->token, frames.at[3].data, MDP_TOKEN_SIZE);
        mdp_say(worker, MDP_FINAL, "slept");
        majordomo++;
    }
    for (int i = 0; i < CALLS; i++) {
        asker_hear(&asker, "slept");
        mdp_hear(client, MDP_REPLY, "slept");
    }
    assert_true(majordomo > 0);
    assert_true(majordomo < 2 * CALLS);
    asker_call(&asker, "echo", "natively", NULL); /* which the Majordomo worker is not for */
    asker_hear(&asker, "natively");
    mdp_hear_nothing(worker, 20);
    asker_fini(&asker);
}

/* Dialects -------------------------------------------------------------------------------------- */

static void call_all(struct kit *kit, const char *compat, unsigned dialects)
{
    char text[128];
    bool undecided = dialects == (1U << MDP_D1 | 1U << MDP_D4);
    dialects |= 1U << MDP_01 | 1U << MDP_02;
    snprintf(text, sizeof text, "majordomo: {compat: [%s], heartbeat: {interval: 1h}}\n", compat);
    start_broker(kit, text);
    for (int pair = 0; pair < MDP_DIALECTS * MDP_DIALECTS; pair++) {
        enum mdp_dialect server = pair % MDP_DIALECTS, caller = pair / MDP_DIALECTS;
        char service[32];
        if (!(dialects >> server & 1) || !(dialects >> caller & 1))
            continue;
        snprintf(service, sizeof service, "pair-%d", pair);
        kit->doing = service;
        struct mdp_peer *worker = mdp_worker(kit, server, service);
        struct mdp_peer *client = mdp_peer(kit, caller, service);
        mdp_say(client, MDP_REQUEST, "first");
        if (undecided && server >= MDP_D1) {
            mdp_hear_nothing(worker, 50);
            mdp_say(worker, MDP_HEARTBEAT, "");
        }
        serve(worker, "first");
        mdp_hear(client, MDP_REPLY, "first");
        call(client, worker);
    }
    kit->doing = NULL;
}

static void d1_is_spoken_where_the_file_has_it(void **state)
{
    call_all(*state, "d1", 1U << MDP_D1);
}

static void d4_is_spoken_where_the_file_has_it(void **state)
{
    call_all(*state, "d4", 1U << MDP_D4);
}

static void with_both_a_worker_is_given_nothing_before_its_first_heartbeat(void **state)
{
    call_all(*state, "d1, d4", 1U << MDP_D1 | 1U << MDP_D4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(every_kind_of_client_calls_every_kind_of_worker),
        KIT_TEST(a_client_on_a_req_socket_is_answered),
        KIT_TEST(replies_find_the_client_whose_request_they_answer),
        KIT_TEST(native_bodies_become_frames_if_they_are_such_lists),
        KIT_TEST(frames_become_a_body_that_a_native_worker_can_read),
        KIT_TEST(native_calls_tell_their_method_where_the_file_wants_it),
        KIT_TEST(the_first_frame_names_the_method_if_the_file_does_not),
        KIT_TEST(a_request_waits_for_a_native_worker_too),
        KIT_TEST(calls_are_shared_between_workers_of_both_kinds),
        KIT_TEST(d1_is_spoken_where_the_file_has_it),
        KIT_TEST(d4_is_spoken_where_the_file_has_it),
        KIT_TEST(with_both_a_worker_is_given_nothing_before_its_first_heartbeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
