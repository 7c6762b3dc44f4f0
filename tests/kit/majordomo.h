/*
 * Majordomo peers by hand, on plain libzmq: they send the frames they are told and read what comes,
 * frame by frame. Messages are written as words, one a frame, with a space between them:
 *   -      an empty frame
 *   x0aff  these bytes
 *   *N     N bytes `a`
 *   +N     N frames `f`
 *   @      the client address that the peer was told last; where it is expected: any, to be kept
 *   $      the service of the peer
 * and anything else as it stands.
 */
#ifndef TESTS_KIT_MAJORDOMO_H
#define TESTS_KIT_MAJORDOMO_H

#include "protocol/packet.h"
#include "tests/kit/kit.h"

enum mdp_dialect {
    MDP_01,
    MDP_02,
    MDP_D1,
    MDP_D4,
    MDP_DIALECTS,
};

/* The messages of a dialect, for mdp_say and mdp_hear; a body follows the first five. */
enum mdp_message {
    MDP_REQUEST, /* client to broker */
    MDP_PART,    /* broker to client; only where parts are */
    MDP_REPLY,
    MDP_WORK, /* broker to worker */
    MDP_PARTIAL,
    MDP_FINAL, /* worker to broker */
    MDP_READY,
    MDP_HEARTBEAT, /* both */
    MDP_DISCONNECT,
    MDP_RAW, /* no frames but those that the test says */
    MDP_MESSAGES,
};

enum {
    MDP_FRAMES_MAX = 1100, /* of a message that these peers can send or take */
    MDP_TOKEN_SIZE = 8,    /* of the client address in a request */
    MDP_WAIT_MS = 10000,   /* how long mdp_hear waits */
};

struct mdp_frames {
    size_t count;
    struct bytes at[MDP_FRAMES_MAX];
};

struct mdp_peer {
    struct mdp_peer *next;
    enum mdp_dialect dialect;
    bool is_req;
    char service[160];
    uint8_t token[MDP_TOKEN_SIZE];
    void *context;
    void *socket;
    void *received; /* the bytes of the message received last */
};

const char *mdp_name(enum mdp_dialect dialect);

/* Connects to the broker started last: a client or a worker of this service, which the name is copied
 * of. Ended by the kit, or before. */
struct mdp_peer *mdp_peer(struct kit *kit, enum mdp_dialect dialect, const char *service);
void mdp_end(struct kit *kit, struct mdp_peer **peer);

/* The same on a REQ socket, which adds the empty frame and takes it off. */
struct mdp_peer *mdp_req(struct kit *kit, const char *service);

/* A worker of the service that has said READY. */
struct mdp_peer *mdp_worker(struct kit *kit, enum mdp_dialect dialect, const char *service);

/* The words of a message without its body. */
const char *mdp_head(const struct mdp_peer *peer, enum mdp_message message);

/* The frames that words stand for; they point into `room`, which lives as long. */
struct mdp_words {
    struct mdp_frames frames;
    uint8_t *room;
};
void mdp_words_read(struct mdp_words *ret, const struct mdp_peer *peer, const char *words);
void mdp_words_end(struct mdp_words *words);

/* Sends a message of the peer's dialect, and `body` behind it: words, or frames. */
void mdp_say(struct mdp_peer *peer, enum mdp_message message, const char *body);
void mdp_send(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *body);

/* The next message must be this one, and come in time; fails with both if it is another. HEARTBEATs
 * are passed over where they are not expected. */
void mdp_hear(struct mdp_peer *peer, enum mdp_message message, const char *body);
void mdp_expect(struct mdp_peer *peer, enum mdp_message message, const struct mdp_frames *body);

/* The same if it comes; false if nothing does within the time. */
bool mdp_is_told(struct mdp_peer *peer, enum mdp_message message, const char *body, unsigned ms);

/* Fails if anything but a HEARTBEAT comes within the time. */
void mdp_hear_nothing(struct mdp_peer *peer, unsigned ms);

/* The next message whatever it is; false if none came in time. It lives until the peer receives or
 * ends. */
bool mdp_receive(struct mdp_peer *peer, struct mdp_frames *ret, unsigned timeout_ms);

/* Receives the body of a REQUEST whatever it is, keeps the client address, and replies with it. */
void mdp_echo(struct mdp_peer *worker);

/* A client of 0.1 calls the service of this worker, which echoes: the broker serves. */
void mdp_check_serves(struct kit *kit, struct mdp_peer *worker);

#endif
