/* Native and Majordomo peers together: what becomes of bodies and methods, and who is given a call. */
#include <stdio.h>
#include <string.h>

#include "tests/kit/asker.h"
#include "tests/kit/scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void start_broker(struct kit *kit, const char *text)
{
    kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

static void start_native_worker(struct kit *kit, const char *service)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", service, NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
}

static void serve(struct mdp_peer *worker, const char *body)
{
    mdp_hear(worker, MDP_WORK, body);
    mdp_say(worker, MDP_FINAL, body);
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

/* Whether the file names the method or the request does. */
static void a_request_waits_for_a_native_worker_too(void **state)
{
    static const struct {
        const char *service;
        const char *request;
    } cases[] = {{"named", "early"}, {"unnamed", "echo early"}};
    struct kit *kit = *state;
    start_broker(kit, "services: {named: {majordomo: {method: echo}}}\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mdp_peer *client = mdp_peer(kit, MDP_01, cases[i].service);
        kit->doing = cases[i].service;
        mdp_say(client, MDP_REQUEST, cases[i].request);
        mdp_hear_nothing(client, 50);
        start_native_worker(kit, cases[i].service);
        mdp_hear(client, MDP_REPLY, "early");
    }
    kit->doing = NULL;
}

/* A service of both kinds: whom a call can be given to. */
static void calls_are_shared_between_workers_of_both_kinds(void **state)
{
    enum { CALLS = 40 };
    struct kit *kit = *state;
    struct asker asker;
    unsigned majordomo = 0, natively = 0, replied = 0;
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
    uint64_t until = kit_now_ms() + kit_time(20000);
    while (natively + replied < 2 * CALLS) { /* the calls leave one after the other */
        if (mdp_is_told(worker, MDP_WORK, "1", 1)) {
            mdp_say(worker, MDP_FINAL, "slept");
            majordomo++;
        }
        natively += asker_is_told(&asker, "slept", 1);
        replied += mdp_is_told(client, MDP_REPLY, "slept", 1);
        assert_true(kit_now_ms() < until);
    }
    assert_int_equal(natively, replied);
    assert_true(majordomo > 0);
    assert_true(majordomo < 2 * CALLS);
    asker_fini(&asker);
}

/* Where the file says nothing of a method, each kind of client has its kind of worker; but native calls
 * that no native worker is for go to the other kind. */
static void calls_of_no_named_method_go_to_workers_of_their_kind(void **state)
{
    enum { CALLS = 20 };
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "apart");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "apart");
    mdp_check_serves(kit, worker);
    start_native_worker(kit, "apart");
    asker_init(&asker, kit, "apart");
    for (int i = 0; i < CALLS; i++) {
        asker_call(&asker, "echo", "natively", NULL);
        asker_hear(&asker, "natively");
    }
    mdp_hear_nothing(worker, 20);
    for (int i = 0; i < CALLS; i++)
        mdp_say(client, MDP_REQUEST, "echo of Majordomo");
    for (int i = 0; i < CALLS; i++) {
        mdp_hear(worker, MDP_WORK, "echo of Majordomo");
        mdp_say(worker, MDP_FINAL, "by hand");
        mdp_hear(client, MDP_REPLY, "by hand");
    }
    asker_call(&asker, "a_method_of_nobody", "natively", NULL);
    serve(worker, "natively");
    asker_hear(&asker, "natively");
    asker_fini(&asker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(native_bodies_become_frames_if_they_are_such_lists),
        KIT_TEST(frames_become_a_body_that_a_native_worker_can_read),
        KIT_TEST(native_calls_tell_their_method_where_the_file_wants_it),
        KIT_TEST(the_first_frame_names_the_method_if_the_file_does_not),
        KIT_TEST(a_request_waits_for_a_native_worker_too),
        KIT_TEST(calls_are_shared_between_workers_of_both_kinds),
        KIT_TEST(calls_of_no_named_method_go_to_workers_of_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
