/*
 * Everybody replaced in order, by SIGTERM, under load: four workers one after the other, then each of
 * two brokers. No call fails. Options: --long --seed N --rounds N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/proxy.h"
#include "tests/faults/scene.h"

enum {
    WORKERS = 4,
    LONG_ROUNDS = 10,
    FAR_MS = 10,     /* of delay between a client and its brokers */
    LASTING_MS = 20, /* in a handler, at most, of calls that last */
    PAUSE_MS = 200,
    LONG_PAUSE_MS = 500,
    END_MS = 15000,
};

/* Replaces the worker in a place; 0 if the old one ended in order. */
static int replace_worker(struct scene *scene, unsigned place)
{
    const struct fault_worker told = scene->places[place].told;
    int code = scene_end_worker(scene, place);
    scene_work(scene, place, &told);
    scene_ready(scene, place);
    return code;
}

static int replace_broker(struct soak_broker *broker)
{
    char endpoint[sizeof broker->endpoint];
    memcpy(endpoint, broker->endpoint, sizeof endpoint);
    kill(broker->process.pid, SIGTERM);
    int code = soak_join(&broker->process, END_MS);
    *broker = scene_broker(endpoint, "");
    return code;
}

/*
 * One round; how many of the old ones did not end with 0. A broker ends while handlers are at work, the
 * other while all calls are on their way rather: what crosses its GOAWAY must not be lost.
 */
static unsigned roll(struct scene *scene, struct soak_broker *brokers[2],
                     struct load_state *lasting)
{
    unsigned pause = scene->is_long ? LONG_PAUSE_MS : PAUSE_MS;
    unsigned wrong = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        wrong += replace_worker(scene, i) != 0;
        soak_sleep_ms(pause);
    }
    for (unsigned i = 0; i < 2; i++) {
        lasting->pause = i == 1;
        soak_sleep_ms(LASTING_MS);
        wrong += replace_broker(brokers[i]) != 0;
        /* Workers look for a broker that is gone once in a while; the other must not go before. */
        soak_sleep_ms(pause + 1500);
    }
    lasting->pause = false;
    return wrong;
}

/* What one round after the other needs. */
struct stage {
    struct soak_broker second;
    struct proxy proxies[2];
    char near_brokers[300];
    char far_brokers[300];
    struct load_state *lasting;
};

static void start(struct scene *scene, struct stage *stage)
{
    scene->broker = scene_broker(NULL, "");
    stage->second = scene_broker(NULL, "");
    proxy_start(&stage->proxies[0], scene->broker.endpoint, scene->seed);
    proxy_start(&stage->proxies[1], stage->second.endpoint, scene->seed);
    for (int i = 0; i < 2; i++)
        stage->proxies[i].state->delay_ms = FAR_MS;
    snprintf(stage->near_brokers, sizeof stage->near_brokers, "%s,%s", scene->broker.endpoint,
             stage->second.endpoint);
    snprintf(stage->far_brokers, sizeof stage->far_brokers, "%s,%s", stage->proxies[0].endpoint,
             stage->proxies[1].endpoint);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(scene, i,
                   &(struct fault_worker){
                       .threads = 4, .broker = i == 0 ? stage->far_brokers : stage->near_brokers});
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(scene, i);
    stage->lasting = scene_load(scene, &(struct load){.broker = stage->near_brokers,
                                                      .outstanding = 30,
                                                      .idempotent = 30,
                                                      .sleepy = 50,
                                                      .sleep_us = LASTING_MS * 1000});
    scene_load(scene, &(struct load){.broker = stage->near_brokers, .outstanding = 8});
    scene_load(scene, &(struct load){.broker = stage->far_brokers, .outstanding = 50});
    soak_sleep_ms(PAUSE_MS);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    struct stage stage;
    unsigned wrong = 0;
    scene_init(&scene, "rolling", argv, 4000000);
    start(&scene, &stage);
    uint64_t rounds = soak_option(argv, "--rounds", scene.is_long ? LONG_ROUNDS : 1);
    for (uint64_t i = 0; i < rounds; i++)
        wrong += roll(&scene, (struct soak_broker *[2]){&scene.broker, &stage.second},
                      stage.lasting);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    struct oracle_faults faults = scene_judge(&scene, true);
    scene_check(&scene, wrong == 0, "all programs end in order, %u do not", wrong);
    scene_check(&scene, faults.statuses[BUSBAR_OK] == faults.calls, "%zu of %zu calls are OK",
                faults.statuses[BUSBAR_OK], faults.calls);
    for (int i = 0; i < 2; i++)
        proxy_stop(&stage.proxies[i]);
    soak_kill(&stage.second.process, SIGTERM);
    return scene_finish(&scene);
}
