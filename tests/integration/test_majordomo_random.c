/* Messages thrown together from what Majordomo messages are made of: the broker bears them all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/kit/majordomo.h"

enum {
    PEERS = 12,
    MESSAGES = 12000,
    FRAMES = 9,
    RENEWED_EVERY = 200, /* messages, after which a peer is replaced by a new one */
};

/* Frames as words: headers, commands, names, addresses, odd ones. */
static const char *const words[] = {
    "-",    "-",     "-",           "MDPC01", "MDPC02",  "MDPW01", "MDPW02", "MDPC03",
    "x01",  "x02",   "x03",         "x04",    "x05",     "x06",    "x00",    "x0101",
    "echo", "other", "mmi.service", "mmi.x",  "bus",     "bus.x",  "BUSB",   "x4255534201000000",
    "*127", "*128",  "*20000",      "+40",    "xffffff", "@",      "@",      "titanic.request",
};

/* How a sensible message begins, so that not all of it is refused at once. */
static const char *const heads[] = {
    "- MDPC01 echo",    "MDPC02 x01 echo",   "- MDPW01 x01 echo", "MDPW02 x01 echo",
    "- MDPW01 x03 @ -", "MDPW02 x03 @ -",    "MDPW02 x04 @ -",    "- MDPW01 x04",
    "- MDPC02 echo",    "- MDPC02 x02 echo", "- MDPW02 x01 echo", "- MDPW02 x04",
    "- MDPW02 x05",     "- MDPW02 x03 @ -",  "MDPC02 x01 named",  "- MDPC01 named",
};

/* And how any does that is not native. */
static const char *const starts[] = {"-",      "- -",    "- MDPC03", "MDPC01",
                                     "MDPW01", "MDPC03", "MDPW02"};

static unsigned long long state;

static size_t random_below(size_t count)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % count);
}

static void say_something(struct mdp_peer *peer)
{
    char text[1024];
    size_t count = random_below(FRAMES);
    size_t size = 0;
    if (random_below(4) != 0)
        size = (size_t)snprintf(text, sizeof text, "%s",
                                heads[random_below(sizeof heads / sizeof heads[0])]);
    else
        size = (size_t)snprintf(text, sizeof text, "%s",
                                starts[random_below(sizeof starts / sizeof starts[0])]);
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", size == 0 ? "" : " ",
                                 words[random_below(sizeof words / sizeof words[0])]);
    mdp_say(peer, MDP_RAW, text);
}

/* Takes what came, and keeps the client address of a request, to be answered some time. */
static void listen_for_requests(struct mdp_peer *peer)
{
    struct mdp_frames frames;
    while (mdp_receive(peer, &frames, 0)) {
        struct bytes first = frames.at[frames.count > 1 && frames.at[0].size == 0];
        assert_true(first.size == 6 &&
                    memcmp(first.data, "MDP", 3) == 0); /* never another dialect */
        for (size_t i = 0; i < frames.count; i++) {
            if (frames.at[i].size == MDP_TOKEN_SIZE && i > 1)
                memcpy(peer->token, frames.at[i].data, MDP_TOKEN_SIZE);
        }
    }
}

static void the_broker_survives_whatever_is_said(void **arg)
{
    struct kit *kit = *arg;
    struct mdp_peer *peers[PEERS] = {0};
    const char *seed = getenv("SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) : (unsigned long long)time(NULL);
    print_message("SEED=%llu\n", state);
    struct kit_process *broker = kit_broker(
        kit, "--config",
        kit_file(kit, "broker.yaml",
                 "body_limit: 64 KiB\n"
                 "majordomo: {compat: [d1, d4], errors: true, wait: 50ms, busy: 200ms,\n"
                 "            heartbeat: {interval: 50ms}}\n"
                 "services: {named: {majordomo: {method: m, method_frame: true}}}\n"),
        NULL);
    for (size_t i = 0; i < MESSAGES; i++) {
        struct mdp_peer **peer = &peers[random_below(PEERS)];
        if (*peer != NULL && random_below(RENEWED_EVERY) == 0)
            mdp_end(kit, peer);
        if (*peer == NULL)
            *peer = mdp_peer(kit, MDP_01, "echo");
        say_something(*peer);
        listen_for_requests(*peer);
    }
    for (size_t i = 0; i < PEERS; i++) {
        if (peers[i] != NULL)
            mdp_end(kit, &peers[i]);
    }
    KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 0, 10000);
    KIT_EVENTUALLY(kit_counter(kit, "services") == 0, 10000);
    assert_true(kit_counter(kit, "malformed") > MESSAGES / 10);
    mdp_check_serves(kit, mdp_worker(kit, MDP_01, "after"));
    assert_true(kit_is_running(broker));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_broker_survives_whatever_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
