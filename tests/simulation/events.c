/* The random events: each is told to the model, then to the router, then judged. */
#include <busbar/status.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "tests/simulation/events.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

static void do_call(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t buffer[BODY_MOST];
    if (world->loud != NOBODY && !one_in(world, 16))
        peer = world->loud;
    uint64_t id = world->next_id[peer]++;
    struct request request = {
        .client = peer,
        .client_id = id,
        .service = one_in(world, 100) ? SERVICES : (uint8_t)pick(world, SERVICES),
        .method = one_in(world, 100) ? METHODS : (uint8_t)pick(world, METHODS),
        .timeout = pick(world, 1 + pick(world, world->timeout_most)),
        .body_size = 8 + pick(world, one_in(world, 16) ? BODY_MOST - 8 : 64),
    };
    if (model->peers[peer].open[id % IDS] != 0)
        return;
    if (one_in(world, 2000))
        request.timeout = one_in(world, 2) ? UINT32_MAX : UINT32_MAX - 1 - pick(world, 1000);
    uint16_t index = model_call(model, &request);
    const struct model_call *call = &model->calls[index];
    struct packet packet = world_request(world, call, buffer);
    packet.command = PACKET_CALL;
    packet.id = id;
    packet.timeout = request.timeout;
    history_add("client %llu calls %llu: #%llu, %llu ms", peer, id, call->serial >> 16,
                request.timeout);
    history_add("    service %llu method %llu, %llu bytes", request.service, request.method,
                request.body_size, 0);
    struct blob *attached = one_in(world, 16)
                                ? world_blob(world, packet.body.data, packet.body.size)
                                : NULL;
    if (attached != NULL)
        packet.body.data = attached->data;
    router_call(&world->router, &world->peers[peer], &packet, attached, world->now);
    blob_unref(&attached);
    model_settle(model);
}

/* A call that the worker has and knows of; false if there is none. */
static bool pick_held(struct world *world, uint8_t peer, uint16_t *ret)
{
    const struct model_peer *worker = &world->model.peers[peer];
    if (worker->held_count == 0)
        return false;
    *ret = worker->held[pick(world, worker->held_count)];
    return world->model.calls[*ret].reached;
}

/* What becomes of a worker's error, by docs/protocol.md 9.4. */
static void expect_error(struct expected *expected, uint8_t status, uint8_t fate)
{
    static const uint8_t NOT_EXECUTED[] = {
        BUSBAR_BAD_REQUEST, BUSBAR_NO_METHOD, BUSBAR_EXPIRED,     BUSBAR_NO_SERVICE,
        BUSBAR_NO_MEMBERS,  BUSBAR_BUSY,      BUSBAR_DENIED,      BUSBAR_TOO_LARGE,
        BUSBAR_DRAINING,    BUSBAR_LOOP,      BUSBAR_BROKER_LOST,
    };
    expected->status = status;
    if (memchr(NOT_EXECUTED, status, sizeof NOT_EXECUTED) != NULL) {
        expected->fate = fate == 0 ? BUSBAR_NOT_EXECUTED : BUSBAR_MAYBE_EXECUTED;
    } else if (status == BUSBAR_WORKER_LOST || status == BUSBAR_POISONED ||
               status == BUSBAR_CANCELLED || status == BUSBAR_TIMEOUT) {
        expected->fate = BUSBAR_MAYBE_EXECUTED;
    } else {
        expected->fate = BUSBAR_EXECUTED;
        if (status != BUSBAR_RESULT_TOO_LARGE)
            expected->status = BUSBAR_APP_ERROR;
    }
}

static void do_answer(struct world *world, uint8_t peer)
{
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    struct packet packet = {.command = one_in(world, 5) ? PACKET_ERROR : PACKET_REPLY,
                            .id = world->model.calls[index].worker_id,
                            .status = (uint8_t)pick(world, 26),
                            .fate = (uint8_t)pick(world, 3),
                            .body = {.data = world->body + pick(world, 8)}};
    packet.body.size = pick(world, one_in(world, 16) ? BODY_MOST - 8 : 64);
    struct expected expected = {.reply = packet.command == PACKET_REPLY,
                                .status = BUSBAR_OK,
                                .fate = BUSBAR_EXECUTED,
                                .body = packet.body.data,
                                .body_size = packet.body.size};
    if (packet.body.size > BODY_LIMIT)
        expected = (struct expected){.status = BUSBAR_RESULT_TOO_LARGE, .fate = BUSBAR_EXECUTED};
    else if (!expected.reply)
        expect_error(&expected, packet.status, packet.fate);
    history_add("worker %llu answers %#llx with command %llu, status %llu", peer, packet.id,
                packet.command, packet.status);
    world_remember(world, packet.id);
    model_answer(&world->model, index, &expected);
    router_reply(&world->router, &world->peers[peer], &packet, NULL, world->now);
    model_settle(&world->model);
}

static void do_return(struct world *world, uint8_t peer)
{
    uint8_t buffer[BODY_MOST];
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    const struct model_call *call = &world->model.calls[index];
    struct packet packet = world_request(world, call, buffer);
    bool whole = !one_in(world, 8);
    packet.command = PACKET_RETURN;
    if (!whole && one_in(world, 2))
        packet.service = bytes_of_text("other");
    else if (!whole)
        packet.body = (struct bytes){.data = world->body, .size = BODY_LIMIT + 1};
    history_add("worker %llu returns %#llx, whole: %llu", peer, packet.id, whole, 0);
    world_remember(world, packet.id);
    model_return(&world->model, index, whole);
    router_return(&world->router, &world->peers[peer], &packet, NULL, world->now);
    model_settle(&world->model);
}

/* An id that this worker has no call under: over, another's, of an earlier broker, or none at all. */
static uint64_t forged_id(struct world *world, uint8_t peer)
{
    struct model_peer *other = &world->model.peers[pick(world, PEERS)];
    const struct model_peer *own = &world->model.peers[peer];
    uint64_t id = world->stale[pick(world, STALE)];
    switch (pick(world, 4)) {
    case 0:
        id = world_random(world);
        break;
    case 1:
        if (other->held_count > 0)
            id = world->model.calls[other->held[pick(world, other->held_count)]].worker_id;
        break;
    case 2: /* nearly its own */
        if (own->held_count > 0)
            id = world->model.calls[own->held[0]].worker_id ^ UINT64_C(1) << pick(world, 64);
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < own->held_count; i++) {
        if (world->model.calls[own->held[i]].worker_id == id)
            return ~id;
    }
    return id;
}

static void do_forge(struct world *world, uint8_t peer)
{
    static const uint8_t COMMANDS[] = {PACKET_REPLY, PACKET_ERROR, PACKET_RETURN};
    struct packet packet = {.command = COMMANDS[pick(world, 3)],
                            .id = forged_id(world, peer),
                            .status = BUSBAR_APP_ERROR,
                            .service = service_name((uint8_t)pick(world, SERVICES)),
                            .method = method_name_of((uint8_t)pick(world, METHODS)),
                            .body = {.data = world->body, .size = 20}};
    history_add("worker %llu forges an answer of %#llx", peer, packet.id, 0, 0);
    world->model.quiet = true;
    if (packet.command == PACKET_RETURN)
        router_return(&world->router, &world->peers[peer], &packet, NULL, world->now);
    else
        router_reply(&world->router, &world->peers[peer], &packet, NULL, world->now);
    model_settle(&world->model);
}

static void do_cancel(struct world *world, uint8_t peer)
{
    uint64_t id = world->next_id[peer] - pick(world, 60);
    history_add("client %llu cancels %llu", peer, id, 0, 0);
    model_cancel(&world->model, peer, id);
    router_cancel(&world->router, &world->peers[peer], id, world->now);
    model_settle(&world->model);
}

static void do_credit(struct world *world, uint8_t peer)
{
    uint32_t credit = pick(world, 1 + world->credit_most);
    history_add("worker %llu takes %llu", peer, credit, 0, 0);
    model_credit(&world->model, peer, credit);
    router_credit(&world->router, &world->peers[peer], credit, world->now);
    model_settle(&world->model);
}

static void do_leave(struct world *world, uint8_t peer)
{
    history_add("worker %llu leaves", peer, 0, 0, 0);
    model_leave(&world->model, peer);
    router_leaving(&world->router, &world->peers[peer]);
    model_settle(&world->model);
}

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
    world->model.now = world->now;
    history_add("it is %llu", world->now, 0, 0, 0);
    router_expire(&world->router, world->now);
    model_settle_time(&world->model);
}

static void do_drain(struct world *world, uint8_t peer)
{
    (void)peer;
    if (!one_in(world, 50))
        return;
    history_add("the broker drains", 0, 0, 0, 0);
    world->router.draining = true;
    world->model.draining = true;
    if (world->run_until > world->events + 500)
        world->run_until = world->events + 500;
}

static const struct {
    void (*run)(struct world *world, uint8_t peer);
    uint8_t weight[PROFILES];
} EVENTS[] = {
    /*                calm flood deaths churn slow crowd */
    {do_call, {30, 60, 30, 30, 20, 60}}, {do_answer, {30, 25, 20, 25, 10, 3}},
    {do_return, {3, 2, 3, 3, 10, 0}},    {do_forge, {4, 2, 4, 4, 4, 1}},
    {do_register, {4, 3, 12, 12, 4, 1}}, {do_deregister, {1, 0, 1, 10, 1, 4}},
    {do_credit, {4, 3, 6, 4, 4, 4}},     {do_cancel, {4, 2, 2, 4, 4, 1}},
    {do_leave, {0, 0, 1, 1, 0, 0}},      {do_die, {1, 1, 6, 1, 1, 0}},
    {do_block, {2, 2, 6, 2, 4, 0}},      {do_wait, {12, 8, 12, 12, 30, 20}},
    {do_drain, {1, 0, 0, 1, 0, 0}},
};

/* Peers behave otherwise from now on. */
static void world_profile(struct world *world)
{
    static const uint32_t CREDITS[] = {2, 4, 8, 16, 300};
    static const uint32_t TIMEOUTS[] = {20, 60, 400, 5000};
    uint32_t profile = pick(world, PROFILES);
    size_t at = 0;
    while (at < WHEEL_OF_EVENTS) {
        for (uint8_t kind = 0; kind < ARRAY_SIZE(EVENTS); kind++) {
            for (uint8_t i = 0; i < EVENTS[kind].weight[profile] && at < WHEEL_OF_EVENTS; i++)
                world->wheel[at++] = kind;
        }
    }
    world->credit_most = CREDITS[pick(world, ARRAY_SIZE(CREDITS))];
    world->timeout_most = TIMEOUTS[pick(world, ARRAY_SIZE(TIMEOUTS))];
    world->step_most = 1 + pick(world, 4);
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
    for (uint8_t peer = 0; peer < PEERS; peer++) {
        if (world->outbox[peer].cut) {
            world->cuts++;
            world_kill(world, peer);
        }
    }
    if (world->events % 512 == 0)
        world_check(world);
}
