/* What the router sends, taken apart and shown to the model. */
#include <string.h>

#include "protocol/metadata.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

/* What a client says besides the body. */
static void write_wishes(const struct request *asked, struct metadata_writer *writer)
{
    static const uint8_t ITEM[] = {2, 'a', 'b', 'c'};
    if (asked->item)
        metadata_put(writer, METADATA_ITEM, (struct bytes){.data = ITEM, .size = sizeof ITEM});
    if (asked->hops > 0)
        metadata_put_number(writer, METADATA_HOPS, 1, asked->hops);
    if (asked->key > 0)
        metadata_put(writer, METADATA_KEY, (struct bytes){.data = &asked->key, .size = 1});
    if (asked->wait > 0)
        metadata_put_number(writer, METADATA_WAIT, 4, asked->wait);
    if (asked->window > 0)
        metadata_put_number(writer, METADATA_WINDOW, 4, asked->window);
}

static void write_caller(uint64_t session, struct metadata_writer *writer)
{
    struct metadata_caller caller = {.session = session};
    memcpy(caller.instance, &session, sizeof session);
    if (session % 2 != 0)
        caller.name = bytes_of_text("known");
    metadata_put_caller(writer, &caller);
}

static struct packet packet_of(const struct model_call *call, struct space *space, bool named)
{
    const struct request *asked = &call->asked;
    struct metadata_writer writer = {.data = space->metadata, .capacity = sizeof space->metadata};
    if (named)
        write_caller(asked->session, &writer);
    write_wishes(asked, &writer);
    return (struct packet){
        .service = service_name(asked->service),
        .method = method_name_of(call->blank ? WHOLE : asked->method),
        .metadata = metadata_written(&writer),
        .body = {.data = model_body(call, space->body), .size = asked->body_size},
    };
}

struct packet world_asked(const struct model_call *call, struct space *space)
{
    struct packet packet = packet_of(call, space, false);
    packet.command = PACKET_CALL;
    packet.id = call->asked.client_id;
    packet.timeout = call->asked.timeout;
    packet.flags = (uint8_t)((call->asked.idempotent ? PACKET_IDEMPOTENT : 0) |
                             (call->asked.oneway ? PACKET_ONEWAY : 0) |
                             (call->asked.stream ? PACKET_STREAM : 0));
    return packet;
}

struct packet world_request(const struct model_call *call, struct space *space)
{
    struct packet packet = packet_of(call, space, call->named);
    packet.id = call->worker_id;
    return packet;
}

/* What is sent to a peer whose queue is full stays in the broker; too much of it ends the peer. */
static bool outbox_put(struct world *world, uint8_t peer)
{
    struct outbox_state *outbox = &world->outbox[peer];
    if (!outbox->blocked)
        return true;
    if (++outbox->due > DUE_MOST)
        outbox->cut = true;
    return false;
}

/* What comes of workers and clients whose protocols have no methods. */
static void note_whole(struct world *world, const struct model_call *call)
{
    const struct model_service *service = &world->model.services[call->asked.service];
    bool whole = (service->offers[WHOLE] & bit(call->worker)) != 0;
    if (call->asked.method == WHOLE)
        world->seen.by_anybody += !whole;
    else if (whole && service->offers[call->asked.method] == 0)
        world->seen.unnamed++;
    world->seen.blanked += call->blank && call->asked.method != WHOLE;
}

static void sent_call(struct world *world, uint8_t peer, const struct packet *packet,
                      const struct blob *attached)
{
    struct space space;
    struct given given = {
        .worker = peer,
        .worker_id = packet->id,
        .timeout = packet->timeout,
        .service = service_of(packet->service),
        .method = method_of(packet->method),
        .idempotent = (packet->flags & PACKET_IDEMPOTENT) != 0,
        .oneway = (packet->flags & PACKET_ONEWAY) != 0,
        .stream = (packet->flags & PACKET_STREAM) != 0,
        .body = packet->body.data,
        .body_size = packet->body.size,
    };
    if (((packet->flags & PACKET_ATTACHED) != 0) != (attached != NULL))
        history_fail("the flag ATTACHED does not say whether a body is attached");
    struct model_call *call = model_given(&world->model, &given);
    history_add("    -> worker %llu: CALL %#llx, #%llu of client %llu", peer, packet->id,
                call->serial >> 16, call->asked.client);
    note_whole(world, call);
    struct packet expected = world_request(call, &space);
    if (packet->metadata.size != expected.metadata.size ||
        (packet->metadata.size > 0 &&
         memcmp(packet->metadata.data, expected.metadata.data, packet->metadata.size) != 0))
        history_fail("a worker was given other metadata than the client's, or another caller");
    call->reached = outbox_put(world, peer);
}

static void read_attempts(struct told *told, struct bytes metadata)
{
    struct metadata_attempt attempts[TRIED];
    struct metadata_entry first;
    struct bytes rest = metadata;
    told->metadata = metadata.data;
    told->metadata_size = metadata.size;
    if (!metadata_next(&rest, &first) || first.key != METADATA_ATTEMPTS)
        return;
    told->tried_count = metadata_attempts(metadata, attempts, TRIED);
    for (size_t i = 0; i < told->tried_count; i++)
        told->tried[i] = (struct attempt){.worker = attempts[i].worker, .ms = attempts[i].ms};
    told->metadata = rest.data;
    told->metadata_size = rest.size;
}

static void sent_answer(struct world *world, uint8_t peer, const struct packet *packet)
{
    struct told told = {
        .client = peer,
        .client_id = packet->id,
        .command = packet->command,
        .accepted = packet->command == PACKET_REPLY && (packet->flags & PACKET_ONEWAY) != 0,
        .by_worker = packet->command == PACKET_ERROR && (packet->flags & PACKET_BY_WORKER) != 0,
        .status = packet->status,
        .fate = packet->fate,
        .number = packet->timeout,
        .body = packet->body.data,
        .body_size = packet->body.size,
    };
    history_add("    -> client %llu: %#llx of %llu, status %llu", peer, packet->command, packet->id,
                packet->status);
    read_attempts(&told, packet->metadata);
    model_told(&world->model, &told);
    (void)outbox_put(world, peer);
}

void world_sent(void *context, struct peer *to, const struct packet *packet, struct blob *attached)
{
    struct world *world = context;
    uint8_t peer = (uint8_t)(to - world->peers);
    switch (packet->command) {
    case PACKET_CALL:
        sent_call(world, peer, packet, attached);
        break;
    case PACKET_REPLY:
    case PACKET_ERROR:
    case PACKET_PART:
    case PACKET_PROGRESS:
        sent_answer(world, peer, packet);
        break;
    case PACKET_CANCEL:
        history_add("    -> worker %llu: CANCEL %#llx", peer, packet->id, 0, 0);
        model_told_cancel(&world->model, peer, packet->id);
        (void)outbox_put(world, peer);
        break;
    case PACKET_GRANT:
        history_add("    -> worker %llu: GRANT %#llx %llu", peer, packet->id, packet->timeout, 0);
        model_told_grant(&world->model, peer, packet->id, packet->timeout);
        (void)outbox_put(world, peer);
        break;
    default:
        history_fail("the router sent the command %#x", packet->command);
    }
}
