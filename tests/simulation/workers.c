/* The random events of workers that have calls, and of some that only say so. */
#include <busbar/status.h>
#include <string.h>

#include "tests/simulation/events.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

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

/* A packet about the call, with a body and sometimes metadata. */
static struct packet packet_about(struct world *world, uint16_t index, uint8_t command)
{
    static const uint8_t METADATA[] = {1, 0, 4, 0, 2, 'x', 'y', 'z'};
    struct packet packet = {.command = command,
                            .id = world->model.calls[index].worker_id,
                            .body = {.data = world->body + pick(world, 8)}};
    packet.body.size = pick(world, one_in(world, 16) ? BODY_MOST - 8 : 64);
    if (one_in(world, 8))
        packet.metadata = (struct bytes){.data = METADATA, .size = sizeof METADATA};
    return packet;
}

static struct expected expect_packet(const struct packet *packet)
{
    return (struct expected){.command = packet->command,
                             .number = packet->timeout,
                             .body = packet->body.data,
                             .body_size = packet->body.size,
                             .metadata = packet->metadata.data,
                             .metadata_size = packet->metadata.size};
}

void do_answer(struct world *world, uint8_t peer)
{
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    struct packet packet = packet_about(world, index,
                                        one_in(world, 5) ? PACKET_ERROR : PACKET_REPLY);
    packet.status = (uint8_t)pick(world, 26);
    packet.fate = (uint8_t)pick(world, 3);
    packet.timeout = packet.command == PACKET_ERROR ? pick(world, 9) : 0;
    struct expected expected = expect_packet(&packet);
    expected.fate = BUSBAR_EXECUTED;
    if (packet.body.size > BODY_LIMIT)
        expected = (struct expected){.command = PACKET_ERROR,
                                     .status = BUSBAR_RESULT_TOO_LARGE,
                                     .fate = BUSBAR_EXECUTED,
                                     .by_broker = true};
    else if (packet.command == PACKET_ERROR)
        expect_error(&expected, packet.status, packet.fate);
    history_add("worker %llu answers %#llx with command %#llx, status %llu", peer, packet.id,
                packet.command, packet.status);
    world_remember(world, packet.id);
    model_answer(&world->model, index, &expected);
    router_reply(&world->router, &world->peers[peer], &packet, NULL, world->now);
    model_settle(&world->model);
}

void do_return(struct world *world, uint8_t peer)
{
    struct space space;
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    struct packet packet = world_request(&world->model.calls[index], &space);
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

/* Mostly of a call that may have parts. */
void do_part(struct world *world, uint8_t peer)
{
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    const struct model_call *call = &world->model.calls[index];
    if ((!call->asked.stream || call->asked.oneway || call->window == 0) && !one_in(world, 20))
        return;
    struct packet packet = packet_about(world, index, PACKET_PART);
    struct expected expected = expect_packet(&packet);
    history_add("worker %llu sends a part of %#llx", peer, packet.id, 0, 0);
    model_part(&world->model, index, &expected);
    router_part(&world->router, &world->peers[peer], &packet, NULL, world->now);
    model_settle(&world->model);
}

void do_progress(struct world *world, uint8_t peer)
{
    uint16_t index;
    if (!pick_held(world, peer, &index))
        return;
    struct packet packet = packet_about(world, index, PACKET_PROGRESS);
    packet.metadata.size = 0;
    packet.timeout = pick(world, 1001);
    struct expected expected = expect_packet(&packet);
    history_add("worker %llu tells of progress of %#llx", peer, packet.id, 0, 0);
    model_progress(&world->model, index, &expected);
    router_progress(&world->router, &world->peers[peer], &packet, world->now);
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

void do_forge(struct world *world, uint8_t peer)
{
    static const uint8_t COMMANDS[] = {PACKET_REPLY, PACKET_ERROR, PACKET_RETURN, PACKET_PART,
                                       PACKET_PROGRESS};
    struct router *router = &world->router;
    struct peer *worker = &world->peers[peer];
    struct packet packet = {.command = COMMANDS[pick(world, 5)],
                            .id = forged_id(world, peer),
                            .status = BUSBAR_APP_ERROR,
                            .service = service_name(pick_service(world)),
                            .method = method_name_of((uint8_t)pick(world, NAMES)),
                            .body = {.data = world->body, .size = 20}};
    history_add("worker %llu forges %#llx of %#llx", peer, packet.command, packet.id, 0);
    world->model.quiet = true;
    if (packet.command == PACKET_RETURN)
        router_return(router, worker, &packet, NULL, world->now);
    else if (packet.command == PACKET_PART)
        router_part(router, worker, &packet, NULL, world->now);
    else if (packet.command == PACKET_PROGRESS)
        router_progress(router, worker, &packet, world->now);
    else
        router_reply(router, worker, &packet, NULL, world->now);
    model_settle(&world->model);
}

void do_credit(struct world *world, uint8_t peer)
{
    uint32_t credit = pick(world, 1 + world->credit_most);
    history_add("worker %llu takes %llu", peer, credit, 0, 0);
    model_credit(&world->model, peer, credit);
    router_credit(&world->router, &world->peers[peer], credit, world->now);
    model_settle(&world->model);
}

void do_leave(struct world *world, uint8_t peer)
{
    history_add("worker %llu leaves", peer, 0, 0, 0);
    model_leave(&world->model, peer);
    router_leaving(&world->router, &world->peers[peer]);
    model_settle(&world->model);
}

/* Much is due to the worker, or it has taken some. */
void do_fill(struct world *world, uint8_t peer)
{
    struct model_peer *known = &world->model.peers[peer];
    known->full = !known->full && one_in(world, 4);
    history_add("worker %llu: full %llu", peer, known->full, 0, 0);
    world->peers[peer].full = known->full;
    if (known->full)
        return;
    known->resting = false;
    router_serve(&world->router, &world->peers[peer], world->now);
    model_settle(&world->model);
}
