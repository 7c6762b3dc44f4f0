/*
 * Results that come in parts, by PARTIALs: passed on to a client that takes parts, as far as it takes
 * them; merged into one reply for any other.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "broker/majordomo.h"

static struct packet part_packet(const struct majordomo *majordomo, enum packet_command command,
                                 struct bytes body, uint8_t encoding)
{
    return (struct packet){.command = (uint8_t)command,
                           .id = majordomo->call,
                           .fate = BUSBAR_EXECUTED,
                           .encoding = encoding,
                           .body = body};
}

/* The worker is free before the router hears of it: it may be given the next request at once. */
static void finish(struct broker *broker, struct session *session, const struct packet *packet,
                   struct blob *attached)
{
    mdp_parts_drop(session->majordomo);
    session->majordomo->busy = false;
    session->majordomo->is_answered = false;
    router_reply(&broker->router, &session->peer, packet, attached, broker->now);
}

static void finish_too_large(struct broker *broker, struct session *session)
{
    struct packet packet = part_packet(
        session->majordomo, PACKET_ERROR,
        bytes_of_text("its frames or parts are more than the broker takes"), PACKET_RAW);
    packet.status = BUSBAR_RESULT_TOO_LARGE;
    finish(broker, session, &packet, NULL);
}

/* Parts that wait ------------------------------------------------------------------------------- */

/* What it takes here: many parts without a byte are too many as well. */
static size_t part_size(const struct blob *body)
{
    return sizeof(struct mdp_part) + sizeof(struct blob) + body->size;
}

static void part_free(struct majordomo *majordomo, struct mdp_part *part)
{
    majordomo->part_bytes -= part_size(part->body);
    list_remove(&part->of_worker);
    blob_unref(&part->body);
    free(part);
}

void mdp_parts_drop(struct majordomo *majordomo)
{
    LIST_EACH(node, &majordomo->parts)
        part_free(majordomo, CONTAINER_OF(node, struct mdp_part, of_worker));
}

static bool part_add(struct majordomo *majordomo, const struct mdp_body *body)
{
    struct mdp_part *part = calloc(1, sizeof *part);
    struct blob *copy = body->attached != NULL ? blob_ref(body->attached)
                                               : blob_copy(body->bytes.data, body->bytes.size);
    if (part == NULL || copy == NULL) {
        free(part);
        blob_unref(&copy);
        return false;
    }
    part->body = copy;
    part->encoding = body->encoding;
    list_append(&majordomo->parts, &part->of_worker);
    majordomo->part_bytes += part_size(copy);
    return true;
}

/* Keeps a part, up to as many bytes as one body may have; of more, nothing is kept. */
static void hold(struct broker *broker, struct session *session, const struct mdp_body *body)
{
    struct majordomo *majordomo = session->majordomo;
    if (majordomo->overflow || majordomo->cancelled)
        return;
    if ((majordomo->is_stream && majordomo->window == 0 && !majordomo->is_granted) ||
        majordomo->part_bytes + body->bytes.size > broker->settings.body_limit ||
        !part_add(majordomo, body)) {
        majordomo->overflow = true;
        mdp_parts_drop(majordomo);
    }
}

/* To clients that take none ---------------------------------------------------------------------- */

/* All frames of all parts; 0 if they are too many. */
static size_t merged_frames(const struct majordomo *majordomo, struct bytes *frames)
{
    struct bytes some[FRAMES_MAX];
    size_t count = 0;
    LIST_EACH(node, (struct list *)(uintptr_t)&majordomo->parts) {
        const struct mdp_part *part = CONTAINER_OF(node, struct mdp_part, of_worker);
        struct bytes body = {.data = part->body->data, .size = part->body->size};
        size_t more = frames_of_body(some, body, part->encoding);
        if (count + more > FRAMES_MAX)
            return 0;
        for (size_t i = 0; i < more; i++)
            frames[count++] = some[i];
    }
    return count;
}

static void finish_merged(struct broker *broker, struct session *session)
{
    struct majordomo *majordomo = session->majordomo;
    struct bytes frames[FRAMES_MAX];
    CLEANUP(blob_unref) struct blob *whole = NULL;
    uint8_t *data;
    size_t count = majordomo->overflow ? 0 : merged_frames(majordomo, frames);
    if (count > 0)
        whole = blob_new(frames_list_size(frames, count), &data);
    if (whole == NULL) {
        finish_too_large(broker, session);
        return;
    }
    frames_list_write(data, frames, count);
    struct packet packet = part_packet(majordomo, PACKET_REPLY,
                                       (struct bytes){.data = data, .size = whole->size},
                                       PACKET_MESSAGEPACK);
    finish(broker, session, &packet, whole->size > PACKET_INLINE_BODY_MAX ? whole : NULL);
}

/* To clients that take parts --------------------------------------------------------------------- */

static void part_pass(struct broker *broker, struct session *session, struct bytes body,
                      const struct mdp_body *from)
{
    struct packet packet = part_packet(session->majordomo, PACKET_PART, body, from->encoding);
    session->majordomo->window--;
    router_part(&broker->router, &session->peer, &packet, from->attached, broker->now);
}

void mdp_parts_resume(struct broker *broker, struct session *session)
{
    struct majordomo *majordomo = session->majordomo;
    while (majordomo->busy && majordomo->is_stream && !list_is_empty(&majordomo->parts)) {
        struct mdp_part *part = LIST_FIRST(&majordomo->parts, struct mdp_part, of_worker);
        bool is_last = majordomo->is_answered && part->of_worker.next == &majordomo->parts;
        CLEANUP(blob_unref) struct blob *body = blob_ref(part->body);
        struct mdp_body from = {.encoding = part->encoding,
                                .attached = body->size > PACKET_INLINE_BODY_MAX ? body : NULL};
        struct bytes bytes = {.data = body->data, .size = body->size};
        if (!is_last && majordomo->window == 0)
            return;
        part_free(majordomo, part);
        if (is_last) {
            struct packet packet = part_packet(majordomo, PACKET_REPLY, bytes, from.encoding);
            finish(broker, session, &packet, from.attached);
        } else {
            part_pass(broker, session, bytes, &from);
        }
    }
    if (majordomo->busy && majordomo->is_answered && list_is_empty(&majordomo->parts))
        finish_too_large(broker, session); /* dropped, or nobody waits any more */
}

/* A PARTIAL or FINAL --------------------------------------------------------------------------- */

static void result_end(struct broker *broker, struct session *session, const struct mdp_body *body)
{
    struct majordomo *majordomo = session->majordomo;
    struct packet packet = part_packet(majordomo, PACKET_REPLY, body->bytes, body->encoding);
    if (list_is_empty(&majordomo->parts) && !majordomo->overflow) {
        finish(broker, session, &packet, body->attached);
        return;
    }
    hold(broker, session, body);
    if (majordomo->overflow)
        finish_too_large(broker, session);
    else if (majordomo->is_stream)
        majordomo->is_answered = true; /* it waits for the others */
    else
        finish_merged(broker, session);
}

void mdp_result_too_large(struct broker *broker, struct session *session, bool is_last)
{
    session->majordomo->overflow = true;
    mdp_parts_drop(session->majordomo);
    if (is_last)
        finish_too_large(broker, session);
}

void mdp_result(struct broker *broker, struct session *session, const struct mdp_body *body,
                bool is_last)
{
    struct majordomo *majordomo = session->majordomo;
    bool passes = majordomo->is_stream && majordomo->window > 0 && !majordomo->cancelled &&
                  list_is_empty(&majordomo->parts) && !majordomo->overflow;
    if (is_last)
        result_end(broker, session, body);
    else if (passes)
        part_pass(broker, session, body->bytes, body);
    else
        hold(broker, session, body);
}
