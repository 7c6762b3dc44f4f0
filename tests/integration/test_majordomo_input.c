/* What Majordomo peers may send, malformed or only odd: the exact answers, and that others are served. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/majordomo_rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* No heartbeats, and a limit that two frames of 40000 bytes are over and one is not. */
static const char quiet[] = "body_limit: 64 KiB\n"
                            "majordomo:\n"
                            "  heartbeat: {interval: 1h}\n"
                            "  compat: [%s]\n";

static struct kit_process *start_broker(struct kit *kit, const char *compat)
{
    char text[256];
    snprintf(text, sizeof text, quiet, compat);
    return kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

/* A row that is being tried, and who else takes part in it. */
struct trial {
    struct kit *kit;
    const struct majordomo_row *row;
    struct mdp_peer *server; /* serves `serve` all the time */
    struct mdp_peer *peer;   /* whose message it is */
    struct mdp_peer *client;
    struct mdp_peer *holder; /* of the request that FORGER answers */
    uint64_t malformed;
};

/* The client calls the service of this row, and this worker is given it. */
static void give_request(struct trial *trial, struct mdp_peer *worker)
{
    trial->client = mdp_peer(trial->kit, MDP_01, worker->service);
    mdp_say(trial->client, MDP_REQUEST, "work");
    mdp_hear(worker, MDP_WORK, "work");
}

/* The request of this row is answered by a worker that is there for it alone. */
static void answer_request(struct trial *trial, struct mdp_peer **worker)
{
    mdp_say(*worker, MDP_FINAL, "done");
    mdp_hear(trial->client, MDP_REPLY, "done");
    mdp_end(trial->kit, worker);
    mdp_end(trial->kit, &trial->client);
}

static void begin_client(struct trial *trial)
{
    trial->malformed = kit_counter(trial->kit, "malformed");
}

static void begin_fresh(struct trial *trial)
{
    (void)trial;
}

static void begin_idle(struct trial *trial)
{
    mdp_say(trial->peer, MDP_READY, "");
}

static void begin_busy(struct trial *trial)
{
    mdp_say(trial->peer, MDP_READY, "");
    give_request(trial, trial->peer);
}

static void begin_done(struct trial *trial)
{
    begin_busy(trial);
    mdp_say(trial->peer, MDP_FINAL, "done");
    mdp_hear(trial->client, MDP_REPLY, "done");
    mdp_end(trial->kit, &trial->client);
}

static void begin_forger(struct trial *trial)
{
    trial->holder = mdp_worker(trial->kit, MDP_02, trial->peer->service);
    give_request(trial, trial->holder);
    mdp_say(trial->peer, MDP_READY, "");
    memcpy(trial->peer->token, trial->holder->token, MDP_TOKEN_SIZE);
}

/* The session goes on: what comes next is the reply to what the client asks next. */
static void end_client(struct trial *trial)
{
    mdp_say(trial->peer, MDP_REQUEST, "and now?");
    mdp_echo(trial->server);
    mdp_hear(trial->peer, MDP_REPLY, "and now?");
    uint64_t grown = kit_counter(trial->kit, "malformed") - trial->malformed;
    if (grown != (trial->row->when == CLIENT))
        fail_msg("%llu messages were counted as malformed", (unsigned long long)grown);
}

/* The worker may begin anew: what comes next is a request for the service that it names then. */
static void end_worker(struct trial *trial)
{
    size_t size = strlen(trial->peer->service);
    snprintf(trial->peer->service + size, sizeof trial->peer->service - size, "-again");
    mdp_say(trial->peer, MDP_READY, "");
    mdp_check_serves(trial->kit, trial->peer);
}

static void end_busy(struct trial *trial)
{
    struct mdp_peer *other = mdp_worker(trial->kit, MDP_01, trial->peer->service);
    mdp_hear(other, MDP_WORK, "work");
    answer_request(trial, &other);
    end_worker(trial);
}

static void end_forger(struct trial *trial)
{
    answer_request(trial, &trial->holder);
    end_worker(trial);
}

static const struct {
    void (*begin)(struct trial *trial);
    void (*end)(struct trial *trial);
} phases[] = {
    [CLIENT] = {begin_client, end_client}, [REFUSED] = {begin_client, end_client},
    [FRESH] = {begin_fresh, end_worker},   [IDLE] = {begin_idle, end_worker},
    [BUSY] = {begin_busy, end_busy},       [DONE] = {begin_done, end_worker},
    [FORGER] = {begin_forger, end_forger},
};

static void try_row(struct kit *kit, struct mdp_peer *server, size_t number)
{
    const struct majordomo_row *row = &majordomo_rows[number];
    struct trial trial = {.kit = kit, .row = row, .server = server};
    char service[32];
    snprintf(service, sizeof service, row->when <= REFUSED ? "serve" : "row-%zu", number);
    trial.peer = mdp_peer(kit, row->dialect, service);
    phases[row->when].begin(&trial);
    mdp_say(trial.peer, MDP_RAW, row->message);
    if (row->answer != NULL)
        mdp_hear(trial.peer, MDP_RAW, row->answer);
    phases[row->when].end(&trial);
    mdp_check_serves(kit, server);
    mdp_end(kit, &trial.peer);
}

static void try_rows(struct kit *kit, enum mdp_dialect dialect, const char *compat)
{
    struct kit_process *broker = start_broker(kit, compat);
    struct mdp_peer *server = mdp_worker(kit, MDP_01, "serve");
    size_t tried = 0;
    for (size_t i = 0; i < COUNT(majordomo_rows); i++) {
        if (majordomo_rows[i].dialect != dialect)
            continue;
        kit->doing = majordomo_rows[i].message;
        try_row(kit, server, i);
        tried++;
    }
    kit->doing = NULL;
    assert_true(tried > 40);
    assert_true(kit_is_running(broker));
    kit_wait_for_text(broker, "warning malformed_message peer=", 5000);
    KIT_CONTAINS(broker->err, " from=\"127.0.0.1\" frames=");
    KIT_CODE(kit_run(kit, "busbar", "services", NULL), 0);
}

static void malformed_messages_of_0_1_are_answered_exactly(void **state)
{
    try_rows(*state, MDP_01, "");
}

static void malformed_messages_of_0_2_are_answered_exactly(void **state)
{
    try_rows(*state, MDP_02, "");
}

static void malformed_messages_of_d1_are_answered_exactly(void **state)
{
    try_rows(*state, MDP_D1, "d1");
}

static void malformed_messages_of_d4_are_answered_exactly(void **state)
{
    try_rows(*state, MDP_D4, "d4");
}

/* Odd but good ---------------------------------------------------------------------------------- */

/* A request arrives as it was sent, and so does its echo. */
static void odd_bodies_pass_as_they_are(void **state)
{
    static const struct {
        const char *sent;
        const char *arrives;
    } bodies[] = {
        {"", "-"},          {"-", "-"},         {"- -", "- -"},           {"- - -", "- - -"},
        {"x00", "x00"},     {"xc1", "xc1"},     {"x9000 -", "x9000 -"},   {"MDPC01", "MDPC01"},
        {"+1000", "+1000"}, {"+1024", "+1024"}, {"*60000 f", "*60000 f"},
    };
    struct kit *kit = *state;
    start_broker(kit, "");
    for (size_t i = 0; i < COUNT(bodies) * 4; i++) {
        const char *arrives = bodies[i / 4].arrives;
        char service[32];
        snprintf(service, sizeof service, "odd-%zu", i);
        struct mdp_peer *worker = mdp_worker(kit, i & 1 ? MDP_01 : MDP_02, service);
        struct mdp_peer *client = mdp_peer(kit, i & 2 ? MDP_01 : MDP_02, service);
        mdp_say(client, MDP_REQUEST, bodies[i / 4].sent);
        mdp_hear(worker, MDP_WORK, arrives);
        mdp_say(worker, MDP_FINAL, bodies[i / 4].sent);
        mdp_hear(client, MDP_REPLY, arrives);
        mdp_end(kit, &worker);
        mdp_end(kit, &client);
    }
}

static void all_names_that_are_some_can_be_served(void **state)
{
    static char longest[128];
    const char *const names[] = {
        "x",   "titanic.request", "_hidden", "-", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "busy", "bus-",
        "mmi", longest,
    };
    struct kit *kit = *state;
    memset(longest, 'n', sizeof longest - 1);
    start_broker(kit, "");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct mdp_peer *worker = mdp_worker(kit, MDP_01, names[i]);
        mdp_check_serves(kit, worker);
        mdp_say(worker, MDP_DISCONNECT, "");
    }
}

/* The result fails, and not the worker: its client is told, or not, and the next one is served. */
/* Too many bytes, or too many frames: its worker keeps its place. */
static void a_result_over_the_limit_reaches_nobody(void **state)
{
    static const char *const results[] = {"*40000 *40000", "+1025"};
    struct kit *kit = *state;
    start_broker(kit, "");
    for (unsigned i = 0; i < 4; i++) {
        enum mdp_dialect dialect = i % 2 == 0 ? MDP_01 : MDP_02;
        struct mdp_peer *worker = mdp_worker(kit, dialect, "large");
        struct mdp_peer *client = mdp_peer(kit, dialect, "large");
        mdp_say(client, MDP_REQUEST, "how much?");
        mdp_hear(worker, MDP_WORK, "how much?");
        if (dialect == MDP_02)
            mdp_say(worker, MDP_PARTIAL, results[i / 2]);
        mdp_say(worker, MDP_FINAL, results[i / 2]);
        mdp_check_serves(kit, worker);
        mdp_say(client, MDP_REQUEST, "and now?");
        mdp_echo(worker);
        mdp_hear(client, MDP_REPLY, "and now?");
        mdp_say(worker, MDP_DISCONNECT, "");
    }
}

/* One connection that speaks all of them in turn: each session ends with the next one's first word. */
static void a_peer_is_answered_in_the_dialect_of_its_last_message(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "d1");
    struct mdp_peer *server = mdp_worker(kit, MDP_01, "serve");
    struct mdp_peer *peer = mdp_peer(kit, MDP_01, "serve");
    for (int i = 0; i < 20; i++) {
        peer->dialect = (enum mdp_dialect)(i % 3);
        mdp_say(peer, MDP_REQUEST, "which?");
        mdp_echo(server);
        mdp_hear(peer, MDP_REPLY, "which?");
        mdp_say(peer, MDP_HEARTBEAT, "");
        mdp_hear(peer, MDP_RAW, mdp_head(peer, MDP_DISCONNECT));
    }
}

/* What it was given in the one is not to be answered in the other, and goes to somebody else. */
static void a_worker_that_changes_its_dialect_loses_its_request(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "changing");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "changing");
    mdp_say(client, MDP_REQUEST, "work");
    mdp_hear(worker, MDP_WORK, "work");
    worker->dialect = MDP_02;
    mdp_say(worker, MDP_FINAL, "mine");
    mdp_hear(worker, MDP_DISCONNECT, "");
    struct mdp_peer *other = mdp_worker(kit, MDP_02, "changing");
    mdp_hear(other, MDP_WORK, "work");
    mdp_say(other, MDP_FINAL, "other's");
    mdp_hear(client, MDP_REPLY, "other's");
}

/* The next connection has the descriptor of the one before. */
static void a_connection_is_told_disconnect_once_until_it_says_ready(void **state)
{
    enum { CONNECTIONS = 4 };
    struct kit *kit = *state;
    start_broker(kit, "");
    for (int i = 0; i < CONNECTIONS; i++) {
        struct mdp_peer *worker = mdp_peer(kit, i % 2 ? MDP_01 : MDP_02, "work");
        for (int ready = 0; ready < 3; ready++) {
            if (ready > 0)
                mdp_say(worker, MDP_READY, "and more, which is refused");
            mdp_say(worker, MDP_HEARTBEAT, "");
            mdp_say(worker, MDP_FINAL, "of nothing");
            mdp_hear(worker, MDP_DISCONNECT, "");
            mdp_hear_nothing(worker, 50);
        }
        mdp_say(worker, MDP_READY, "");
        mdp_check_serves(kit, worker);
        mdp_say(worker, MDP_READY, "");
        mdp_say(worker, MDP_HEARTBEAT, "");
        mdp_hear(worker, MDP_DISCONNECT, "");
        mdp_hear_nothing(worker, 50);
        mdp_end(kit, &worker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(malformed_messages_of_0_1_are_answered_exactly),
        KIT_TEST(malformed_messages_of_0_2_are_answered_exactly),
        KIT_TEST(malformed_messages_of_d1_are_answered_exactly),
        KIT_TEST(malformed_messages_of_d4_are_answered_exactly),
        KIT_TEST(odd_bodies_pass_as_they_are),
        KIT_TEST(all_names_that_are_some_can_be_served),
        KIT_TEST(a_result_over_the_limit_reaches_nobody),
        KIT_TEST(a_peer_is_answered_in_the_dialect_of_its_last_message),
        KIT_TEST(a_worker_that_changes_its_dialect_loses_its_request),
        KIT_TEST(a_connection_is_told_disconnect_once_until_it_says_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
