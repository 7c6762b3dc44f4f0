/* Majordomo peers on plain libzmq, what the dialects say, and sending it; majordomo_heard.c receives. */
#include "tests/kit/majordomo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "tests/kit/internal.h"

/* NULL where a dialect has no such message. */
static const char *const messages[MDP_DIALECTS][MDP_MESSAGES] = {
    [MDP_01] = {"- MDPC01 $", NULL, "- MDPC01 $", "- MDPW01 x02 @ -", NULL, "- MDPW01 x03 @ -",
                "- MDPW01 x01 $", "- MDPW01 x04", "- MDPW01 x05", ""},
    [MDP_02] = {"MDPC02 x01 $", "MDPC02 x02 $", "MDPC02 x03 $", "MDPW02 x02 @ -", "MDPW02 x03 @ -",
                "MDPW02 x04 @ -", "MDPW02 x01 $", "MDPW02 x05", "MDPW02 x06", ""},
    [MDP_D1] = {"- MDPC02 $", NULL, "- MDPC02 $", "- MDPW02 x02 @ -", NULL, "- MDPW02 x03 @ -",
                "- MDPW02 x01 $", "- MDPW02 x04", "- MDPW02 x05", ""},
    [MDP_D4] = {"- MDPC02 x02 $", "- MDPC02 x03", "- MDPC02 x04", "- MDPW02 x02 @ -",
                "- MDPW02 x03 @ -", "- MDPW02 x04 @ -", "- MDPW02 x01 $", "- MDPW02 x05",
                "- MDPW02 x06", ""},
};

const char *mdp_name(enum mdp_dialect dialect)
{
    static const char *const names[MDP_DIALECTS] = {"0.1", "0.2", "D1", "D4"};
    return names[dialect];
}

/* A REQ socket adds the first frame itself. */
const char *mdp_head(const struct mdp_peer *peer, enum mdp_message message)
{
    const char *head = messages[peer->dialect][message];
    assert_non_null(head);
    return peer->is_req && *head != '\0' ? head + 2 : head;
}

static struct mdp_peer *connect_peer(struct kit *kit, int type)
{
    static const int none = 0;
    struct mdp_peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    assert_non_null(kit->endpoint);
    peer->context = zmq_ctx_new();
    peer->socket = zmq_socket(peer->context, type);
    assert_non_null(peer->socket);
    zmq_setsockopt(peer->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(peer->socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &none, sizeof none);
    assert_int_equal(zmq_connect(peer->socket, kit->endpoint), 0);
    peer->next = kit->majordomos;
    kit->majordomos = peer;
    return peer;
}

struct mdp_peer *mdp_peer(struct kit *kit, enum mdp_dialect dialect, const char *service)
{
    struct mdp_peer *peer = connect_peer(kit, ZMQ_DEALER);
    peer->dialect = dialect;
    snprintf(peer->service, sizeof peer->service, "%s", service);
    return peer;
}

struct mdp_peer *mdp_req(struct kit *kit, const char *service)
{
    struct mdp_peer *peer = connect_peer(kit, ZMQ_REQ);
    peer->is_req = true;
    snprintf(peer->service, sizeof peer->service, "%s", service);
    return peer;
}

struct mdp_peer *mdp_worker(struct kit *kit, enum mdp_dialect dialect, const char *service)
{
    struct mdp_peer *peer = mdp_peer(kit, dialect, service);
    mdp_say(peer, MDP_READY, "");
    return peer;
}

void mdp_end(struct kit *kit, struct mdp_peer **peer)
{
    struct mdp_peer **place = &kit->majordomos;
    while (*place != *peer)
        place = &(*place)->next;
    *place = (*peer)->next;
    zmq_close((*peer)->socket);
    zmq_ctx_term((*peer)->context);
    free((*peer)->received);
    free(*peer);
    *peer = NULL;
}

void kit_end_majordomos(struct kit *kit)
{
    while (kit->majordomos != NULL) {
        struct mdp_peer *peer = kit->majordomos;
        mdp_end(kit, &peer);
    }
}

/* Words into frames ---------------------------------------------------------------------------- */

/* Adds a frame of bytes written at `next`; where the next one may be written. */
static uint8_t *add_frame(struct mdp_frames *frames, uint8_t *next, size_t size)
{
    assert_true(frames->count < MDP_FRAMES_MAX);
    frames->at[frames->count++] = (struct bytes){next, size};
    return next + size;
}

static bool is_hex(const char *word, size_t size)
{
    return size > 1 && size % 2 == 1 && word[0] == 'x' &&
           strspn(word + 1, "0123456789abcdef") >= size - 1;
}

static uint8_t *add_hex(struct mdp_frames *frames, uint8_t *next, const char *word, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        const char digits[] = {word[1 + 2 * i], word[2 + 2 * i], '\0'};
        next[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return add_frame(frames, next, size / 2);
}

static uint8_t *add_copy(struct mdp_frames *frames, uint8_t *next, const void *bytes, size_t size)
{
    memcpy(next, bytes, size);
    return add_frame(frames, next, size);
}

static uint8_t *add_word(struct mdp_words *words, uint8_t *next, const struct mdp_peer *peer,
                         struct bytes text)
{
    struct mdp_frames *frames = &words->frames;
    const char *word = (const char *)text.data;
    unsigned long number = strtoul(word + 1, NULL, 10);
    if (is_hex(word, text.size))
        return add_hex(frames, next, word, text.size);
    if (text.size == 1 && *word == '-')
        return add_frame(frames, next, 0);
    if (text.size == 1 && *word == '@')
        return add_copy(frames, next, peer->token, MDP_TOKEN_SIZE);
    if (text.size == 1 && *word == '$')
        return add_copy(frames, next, peer->service, strlen(peer->service));
    if (text.size > 1 && *word == '*') {
        memset(next, 'a', number);
        return add_frame(frames, next, number);
    }
    if (text.size > 1 && *word == '+') {
        for (unsigned long i = 0; i < number; i++)
            next = add_copy(frames, next, "f", 1);
        return next;
    }
    return add_copy(frames, next, word, text.size);
}

/* More than any of the words can stand for. */
static size_t room_for(const char *words)
{
    size_t size = strlen(words) + MDP_FRAMES_MAX + sizeof((struct mdp_peer *)NULL)->service;
    for (const char *word = words; (word = strchr(word, '*')) != NULL; word++)
        size += strtoul(word + 1, NULL, 10);
    return size;
}

void mdp_words_read(struct mdp_words *ret, const struct mdp_peer *peer, const char *words)
{
    ret->frames.count = 0;
    ret->room = malloc(room_for(words));
    assert_non_null(ret->room);
    uint8_t *next = ret->room;
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        if (size > 0)
            next = add_word(ret, next, peer, (struct bytes){(const uint8_t *)words, size});
        words += size + (words[size] == ' ');
    }
}

void mdp_words_end(struct mdp_words *words)
{
    free(words->room);
}

/* Sending -------------------------------------------------------------------------------------- */

static void send_frames(struct mdp_peer *peer, const struct mdp_frames *frames, bool more)
{
    for (size_t i = 0; i < frames->count; i++) {
        int flags = more || i + 1 < frames->count ? ZMQ_SNDMORE : 0;
        int size = zmq_send(peer->socket, frames->at[i].data, frames->at[i].size, flags);
        assert_int_equal(size, frames->at[i].size);
    }
}

void mdp_send(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *body)
{
    struct mdp_words head;
    mdp_words_read(&head, peer, mdp_head(peer, message));
    send_frames(peer, &head.frames, body->count > 0);
    send_frames(peer, body, false);
    mdp_words_end(&head);
}

void mdp_say(struct mdp_peer *peer, enum mdp_message message, const char *body)
{
    struct mdp_words words;
    mdp_words_read(&words, peer, body);
    mdp_send(peer, message, &words.frames);
    mdp_words_end(&words);
}
