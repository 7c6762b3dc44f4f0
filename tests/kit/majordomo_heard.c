/* What Majordomo peers receive, compared with what they should. */
#include "tests/kit/majordomo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "tests/kit/internal.h"

/* Appends a frame to the peer's bytes; frames refer to them by offset until all are there. */
static void keep_frame(struct mdp_peer *peer, struct mdp_frames *frames, size_t *used,
                       zmq_msg_t *part)
{
    size_t size = zmq_msg_size(part);
    assert_true(frames->count < MDP_FRAMES_MAX);
    peer->received = realloc(peer->received, *used + size + 1);
    assert_non_null(peer->received);
    memcpy((uint8_t *)peer->received + *used, zmq_msg_data(part), size);
    frames->at[frames->count++].size = size;
    *used += size;
}

bool mdp_receive(struct mdp_peer *peer, struct mdp_frames *ret, unsigned timeout_ms)
{
    int timeout = (int)timeout_ms;
    size_t used = 0;
    zmq_msg_t part;
    ret->count = 0;
    zmq_setsockopt(peer->socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    for (int more = 1; more;) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, peer->socket, 0) < 0) {
            assert_int_equal(errno, EAGAIN);
            return false;
        }
        keep_frame(peer, ret, &used, &part);
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    const uint8_t *next = peer->received;
    for (size_t i = 0; i < ret->count; i++) {
        ret->at[i].data = next;
        next += ret->at[i].size;
    }
    return true;
}

static bool is_same(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Shows the beginning of a message for people. */
static void show(const char *what, const struct mdp_frames *frames)
{
    print_error("%s %zu frames:", what, frames->count);
    for (size_t i = 0; i < frames->count && i < 12; i++) {
        print_error(" [%zu]", frames->at[i].size);
        for (size_t at = 0; at < frames->at[i].size && at < 40; at++) {
            uint8_t byte = frames->at[i].data[at];
            print_error(byte > ' ' && byte <= '~' ? "%c" : "\\x%02x", byte);
        }
    }
    print_error("\n");
}

/* Takes over the client address where the words of the head have one. */
static void take_token(struct mdp_peer *peer, const char *head, const struct mdp_frames *frames)
{
    size_t index = 0;
    const char *found = strstr(head, " @");
    if (found == NULL)
        return;
    for (const char *word = head; word <= found; word++)
        index += *word == ' ';
    if (index < frames->count && frames->at[index].size == MDP_TOKEN_SIZE)
        memcpy(peer->token, frames->at[index].data, MDP_TOKEN_SIZE);
}

/* How many of the frames are as expected? */
static size_t count_same(const struct mdp_frames *frames, const struct mdp_frames *head,
                         const struct mdp_frames *body)
{
    size_t same = 0;
    for (size_t i = 0; i < frames->count && i < head->count + body->count; i++) {
        struct bytes expected = i < head->count ? head->at[i] : body->at[i - head->count];
        if (!is_same(frames->at[i], expected))
            break;
        same++;
    }
    return same;
}

/* Fails unless they are what is expected. */
static void check(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *frames,
                  const struct mdp_frames *body)
{
    struct mdp_words head;
    take_token(peer, mdp_head(peer, message), frames);
    mdp_words_read(&head, peer, mdp_head(peer, message));
    size_t same = count_same(frames, &head.frames, body);
    if (same != frames->count || same != head.frames.count + body->count) {
        show("came", frames);
        show("expected", &head.frames);
        show("and behind it", body);
        fail_msg("%s: another message than expected", mdp_name(peer->dialect));
    }
    mdp_words_end(&head);
}

static bool is_heartbeat(struct mdp_peer *peer, const struct mdp_frames *frames)
{
    struct mdp_words words;
    const struct mdp_frames nothing = {0};
    mdp_words_read(&words, peer, mdp_head(peer, MDP_HEARTBEAT));
    bool is = frames->count == words.frames.count &&
              count_same(frames, &words.frames, &nothing) == frames->count;
    mdp_words_end(&words);
    return is;
}

/* The next message that is no HEARTBEAT, unless those are wanted. */
static bool receive_other(struct mdp_peer *peer, struct mdp_frames *ret, bool heartbeats,
                          unsigned ms)
{
    uint64_t until = kit_now_ms() + ms;
    for (;;) {
        uint64_t now = kit_now_ms();
        if (!mdp_receive(peer, ret, until > now ? (unsigned)(until - now) : 0))
            return false;
        if (heartbeats || !is_heartbeat(peer, ret))
            return true;
    }
}

static bool is_told(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *body,
                    unsigned ms)
{
    struct mdp_frames frames;
    if (!receive_other(peer, &frames, message == MDP_HEARTBEAT || message == MDP_RAW, ms))
        return false;
    check(peer, message, &frames, body);
    return true;
}

void mdp_expect(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *body)
{
    if (!is_told(peer, message, body, kit_time(MDP_WAIT_MS)))
        fail_msg("%s: nothing came, not \"%s\"", mdp_name(peer->dialect), mdp_head(peer, message));
}

bool mdp_is_told(struct mdp_peer *peer, enum mdp_message message, const char *body, unsigned ms)
{
    struct mdp_words words;
    mdp_words_read(&words, peer, body);
    bool came = is_told(peer, message, &words.frames, ms);
    mdp_words_end(&words);
    return came;
}

void mdp_hear(struct mdp_peer *peer, enum mdp_message message, const char *body)
{
    if (!mdp_is_told(peer, message, body, kit_time(MDP_WAIT_MS)))
        fail_msg("%s: nothing came, not \"%s %s\"", mdp_name(peer->dialect),
                 mdp_head(peer, message), body);
}

void mdp_hear_nothing(struct mdp_peer *peer, unsigned ms)
{
    struct mdp_frames frames;
    if (receive_other(peer, &frames, false, ms)) {
        show("came", &frames);
        fail_msg("%s: a message came that was not expected", mdp_name(peer->dialect));
    }
}

void mdp_echo(struct mdp_peer *worker)
{
    struct mdp_frames frames, body = {0};
    struct mdp_words head;
    if (!receive_other(worker, &frames, false, kit_time(MDP_WAIT_MS))) {
        fail_msg("%s: the worker is given nothing", mdp_name(worker->dialect));
        return; /* which analysers want to be told */
    }
    mdp_words_read(&head, worker, mdp_head(worker, MDP_WORK));
    for (size_t i = head.frames.count; i < frames.count; i++)
        body.at[body.count++] = frames.at[i];
    mdp_words_end(&head);
    check(worker, MDP_WORK, &frames, &body);
    mdp_send(worker, MDP_FINAL, &body);
}

void mdp_check_serves(struct kit *kit, struct mdp_peer *worker)
{
    struct mdp_peer *client = mdp_peer(kit, MDP_01, worker->service);
    mdp_say(client, MDP_REQUEST, "still there?");
    mdp_echo(worker);
    mdp_hear(client, MDP_REPLY, "still there?");
    mdp_end(kit, &client);
}
