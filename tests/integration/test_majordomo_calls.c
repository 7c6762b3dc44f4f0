/* Calls between clients and workers of 0.1, of 0.2 and native ones, and of the dialects beside them. */
#include <stdio.h>
#include <string.h>

#include "tests/kit/asker.h"

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
    /* One that replied early would be given a second request, and another none. */
    KIT_EVENTUALLY(kit_counter(kit, "dispatched") == CLIENTS, 10000);
    for (int i = CLIENTS - 1; i >= 0; i--)
        mdp_echo(workers[i]);
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof text, "from %d", i);
        mdp_hear(clients[i], MDP_REPLY, text);
    }
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
        KIT_TEST(d1_is_spoken_where_the_file_has_it),
        KIT_TEST(d4_is_spoken_where_the_file_has_it),
        KIT_TEST(with_both_a_worker_is_given_nothing_before_its_first_heartbeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
