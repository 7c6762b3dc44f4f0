/* The random events: each is told to the model, then to the router, then judged. */
#include "tests/simulation/events.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

static void do_die(struct world *world, uint8_t peer)
{
    world_kill(world, peer);
}

/* The peer reads nothing for a while, or reads again. */
static void do_block(struct world *world, uint8_t peer)
{
    struct model_peer *known = &world->model.peers[peer];
    struct outbox_state *outbox = &world->outbox[peer];
    outbox->blocked = !outbox->blocked && one_in(world, 4);
    history_add("peer %llu: blocked %llu", peer, outbox->blocked, 0, 0);
    if (outbox->blocked)
        return;
    outbox->due = 0;
    for (uint32_t i = 0; i < known->held_count; i++)
        world->model.calls[known->held[i]].reached = true;
}

static void do_wait(struct world *world, uint8_t peer)
{
    (void)peer;
    uint64_t step = pick(world, 1 + world->step_most);
    if (one_in(world, 2000))
        step += pick(world, one_in(world, 10) ? 20000000 : 2000);
    world->now += step;
    model_time(&world->model, world->now);
    history_add("it is %llu", world->now, 0, 0, 0);
    router_expire(&world->router, world->now);
    model_settle_time(&world->model);
}

static void do_stop(struct world *world, uint8_t peer)
{
    (void)peer;
    if (!one_in(world, 50))
        return;
    history_add("the broker drains", 0, 0, 0, 0);
    world->router.draining = true;
    world->model.draining = true;
    if (world->run_until > world->events + 500)
        world->run_until = world->events + 500;
    if (one_in(world, 2))
        return;
    history_add("    and refuses what waits", 0, 0, 0, 0);
    bool accepted = one_in(world, 2);
    size_t uncertain = world->model.uncertain;
    size_t expected = model_drop_waiting(&world->model, accepted);
    size_t dropped = router_drop_waiting(&world->router, accepted);
    if (dropped < expected || dropped > expected + uncertain)
        history_fail("%zu calls were refused, %zu waited", dropped, expected);
    model_settle(&world->model);
}

/* Weights for each profile: calm, flood, deaths, churn, slow, crowd. */
static const struct {
    void (*run)(struct world *world, uint8_t peer);
    uint8_t weight[PROFILES];
} EVENTS[] = {
    {do_call, {30, 60, 30, 30, 20, 60}}, {do_answer, {30, 25, 20, 25, 10, 3}},
    {do_return, {3, 2, 3, 3, 10, 0}},    {do_forge, {4, 2, 4, 4, 4, 1}},
    {do_part, {12, 6, 6, 6, 20, 2}},     {do_progress, {4, 2, 4, 4, 10, 1}},
    {do_register, {4, 3, 12, 12, 4, 1}}, {do_deregister, {1, 0, 1, 10, 1, 4}},
    {do_drain, {1, 0, 1, 4, 1, 1}},      {do_credit, {4, 3, 6, 4, 4, 4}},
    {do_cancel, {4, 2, 2, 4, 4, 1}},     {do_grant, {4, 2, 2, 4, 10, 1}},
    {do_fill, {1, 1, 1, 1, 1, 0}},       {do_congest, {1, 1, 1, 1, 1, 1}},
    {do_leave, {0, 0, 1, 1, 0, 0}},      {do_die, {1, 1, 6, 1, 1, 0}},
    {do_block, {2, 2, 6, 2, 4, 0}},      {do_wait, {12, 8, 12, 12, 30, 20}},
    {do_stop, {1, 0, 0, 1, 0, 0}},
};

/* Peers behave otherwise from now on. */
static void world_profile(struct world *world)
{
    static const uint32_t CREDITS[] = {2, 4, 8, 16, 300};
    static const uint32_t TIMEOUTS[] = {20, 60, 400, 5000};
    uint32_t profile = pick(world, PROFILES);
    size_t at = 0;
    while (at < WHEEL_OF_EVENTS) {
        for (unsigned kind = 0; kind < ARRAY_SIZE(EVENTS); kind++) {
            for (uint8_t i = 0; i < EVENTS[kind].weight[profile] && at < WHEEL_OF_EVENTS; i++)
                world->wheel[at++] = (uint8_t)kind;
        }
    }
    world->credit_most = CREDITS[pick(world, ARRAY_SIZE(CREDITS))];
    world->timeout_most = TIMEOUTS[pick(world, ARRAY_SIZE(TIMEOUTS))];
    world->step_most = pick(world, 5); /* 0: all is quick */
    world->loud = NOBODY;
    if (profile == PROFILE_CROWD) {
        world->loud = (uint8_t)pick(world, PEERS);
        world->credit_most = HELD - 1;
        world->timeout_most = 20000;
        world->step_most = 12;
    }
    world->profile_until = world->events + 1 + pick(world, PROFILE_EVENTS);
    history_add("profile %llu: credit %llu, timeout %llu", profile, world->credit_most,
                world->timeout_most, 0);
}

void world_step(struct world *world)
{
    history_event(++world->events);
    if (world->events >= world->run_until || world->model.used_count > USED / 2) {
        world_close(world);
        world_open(world);
        world->restarts++;
    }
    if (world->events >= world->profile_until)
        world_profile(world);
    uint8_t kind = world->wheel[pick(world, WHEEL_OF_EVENTS)];
    EVENTS[kind].run(world, (uint8_t)pick(world, PEERS));
    for (unsigned peer = 0; peer < PEERS; peer++) {
        if (world->outbox[peer].cut) {
            world->cuts++;
            world_kill(world, (uint8_t)peer);
        }
    }
    if (world->events % 512 == 0)
        world_check(world);
}
