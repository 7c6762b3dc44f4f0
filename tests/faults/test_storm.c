/*
 * Everything at once: workers and brokers killed, ended in order and stopped, and the network between
 * them cut, sliced and silent, in an order that the seed decides. Each call has its one true outcome,
 * and when the storm is over all is well. Options: --long --seed N --seconds N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/proxy.h"
#include "tests/faults/scene.h"

enum {
    WORKERS = 6,
    FAR = 3, /* workers whose way leads through the proxies */
    CLIENTS = 3,
    LONG_SECONDS = 120,
    SHORT_SECONDS = 3,
    PAUSE_MS = 150, /* between two events, at most twice that */
    CALM_MS = 1000,
};

enum phase {
    STORM = 0,
    CALM = 1,
};

struct storm {
    struct scene scene;
    struct soak_broker second;
    struct proxy proxies[2];
    char near_brokers[300];
    char far_brokers[300];
    unsigned counts[16]; /* of events, by their place in the table */
};

static const char config[] = "heartbeat: {interval: 200ms, liveness: 3}\n";

static unsigned any(struct storm *storm, unsigned count)
{
    return (unsigned)rand_r(&storm->scene.seed) % count;
}

static void start_worker(struct storm *storm, unsigned place)
{
    scene_work(&storm->scene, place,
               &(struct fault_worker){
                   .threads = 4, .broker = place < FAR ? storm->far_brokers : storm->near_brokers});
}

static struct soak_broker *any_broker(struct storm *storm)
{
    return any(storm, 2) == 0 ? &storm->scene.broker : &storm->second;
}

static void kill_worker(struct storm *storm)
{
    unsigned place = any(storm, WORKERS);
    scene_kill_worker(&storm->scene, place);
    start_worker(storm, place);
}

static void end_worker(struct storm *storm)
{
    unsigned place = any(storm, WORKERS);
    scene_end_worker(&storm->scene, place);
    start_worker(storm, place);
}

static void stop_worker(struct storm *storm)
{
    pid_t pid = storm->scene.places[any(storm, WORKERS)].process.pid;
    kill(pid, SIGSTOP);
    soak_sleep_ms(any(storm, 1000));
    kill(pid, SIGCONT);
}

static void replace_broker(struct storm *storm, int number)
{
    struct soak_broker *broker = any_broker(storm);
    char endpoint[sizeof broker->endpoint];
    memcpy(endpoint, broker->endpoint, sizeof endpoint);
    soak_kill(&broker->process, number);
    soak_sleep_ms(any(storm, 300));
    *broker = scene_broker(endpoint, config);
}

static void kill_broker(struct storm *storm)
{
    replace_broker(storm, SIGKILL);
}

static void end_broker(struct storm *storm)
{
    replace_broker(storm, SIGTERM);
}

static void cut(struct storm *storm)
{
    storm->proxies[any(storm, 2)].state->cuts++;
}

static void change_network(struct storm *storm)
{
    struct proxy_state *state = storm->proxies[any(storm, 2)].state;
    state->mode = any(storm, 4);
    state->delay_ms = any(storm, 30);
    soak_sleep_ms(any(storm, 1200));
    state->mode = any(storm, 2) == 0 ? PROXY_PASS : PROXY_SLICE;
    state->delay_ms = 0;
}

static const struct {
    const char *name;
    void (*happen)(struct storm *storm);
    unsigned share; /* of all events, in percent */
} events[] = {
    {"workers killed", kill_worker, 30},        {"workers ended", end_worker, 15},
    {"workers stopped", stop_worker, 10},       {"brokers killed", kill_broker, 8},
    {"brokers ended", end_broker, 7},           {"connections cut", cut, 15},
    {"changes of network", change_network, 15},
};

static void one_event(struct storm *storm)
{
    unsigned chosen = any(storm, 100), i = 0;
    while (chosen >= events[i].share)
        chosen -= events[i++].share;
    events[i].happen(storm);
    storm->counts[i]++;
    soak_sleep_ms(PAUSE_MS / 2 + any(storm, PAUSE_MS));
}

static void start(struct storm *storm, struct load_state *state)
{
    struct scene *scene = &storm->scene;
    scene->broker = scene_broker(NULL, config);
    storm->second = scene_broker(NULL, config);
    proxy_start(&storm->proxies[0], scene->broker.endpoint, scene->seed);
    proxy_start(&storm->proxies[1], storm->second.endpoint, scene->seed + 1);
    snprintf(storm->near_brokers, sizeof storm->near_brokers, "%s,%s", scene->broker.endpoint,
             storm->second.endpoint);
    snprintf(storm->far_brokers, sizeof storm->far_brokers, "%s,%s", storm->proxies[1].endpoint,
             storm->proxies[0].endpoint);
    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(storm, i);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(scene, i);
    state->rate = 500;
    for (unsigned i = 0; i < CLIENTS; i++)
        scene_load(scene,
                   &(struct load){.state = state,
                                  .broker = i == 0 ? storm->near_brokers : storm->far_brokers,
                                  .outstanding = 200,
                                  .idempotent = 50,
                                  .sleepy = 30,
                                  .sleep_us = 20000,
                                  .timeout_ms = 3000});
}

/* The network is good, and calls succeed: then a calm phase, of which all calls must. */
static void calm_down(struct storm *storm, struct load_state *state)
{
    for (int i = 0; i < 2; i++)
        storm->proxies[i].state->mode = PROXY_PASS;
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(&storm->scene, i);
    soak_sleep_ms(2 * CALM_MS);
    state->phase = CALM;
    soak_sleep_ms(CALM_MS);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct storm storm = {0};
    struct scene *scene = &storm.scene;
    scene_init(scene, "storm", argv, 4000000);
    uint64_t seconds = soak_option(argv, "--seconds",
                                   scene->is_long ? LONG_SECONDS : SHORT_SECONDS);
    struct load_state *state = load_state_new();
    start(&storm, state);
    uint64_t until = soak_now_ns() + UINT64_C(1000000000) * seconds;
    while (soak_now_ns() < until)
        one_event(&storm);
    calm_down(&storm, state);
    scene_end_loads(scene);
    scene_end_workers(scene);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        printf("  %u %s\n", storm.counts[i], events[i].name);
    times_print("OK, in the storm", &state->phases[STORM].good);
    unsigned long long made = state->phases[CALM].made;
    unsigned long long good = state->phases[CALM].outcomes[BUSBAR_OK];
    scene_check(scene, made > 0 && good == made, "afterwards %llu of %llu calls are OK", good,
                made);
    scene_judge(scene, false);
    proxy_stop(&storm.proxies[0]);
    proxy_stop(&storm.proxies[1]);
    soak_kill(&storm.second.process, SIGTERM);
    return scene_finish(scene);
}
