/* A router on its own with a sink that remembers what was sent, for the tests of the router. */
#ifndef TESTS_ROUTER_RIG_H
#define TESTS_ROUTER_RIG_H

#include "broker/router.h"

enum {
    RIG_SENT_MAX = 4096,
    RIG_BODY_MAX = 64,
    RIG_METADATA_MAX = 160,
    RIG_TIMEOUT_MS = 2000,
};

struct sent {
    struct peer *to;
    struct packet packet; /* of its runs the metadata alone are kept, if they are short */
    char body[RIG_BODY_MAX];
    uint8_t metadata[RIG_METADATA_MAX];
};

struct rig {
    struct router router;
    struct counters counters;
    struct sent sent[RIG_SENT_MAX];
    size_t sent_count;
    uint64_t now;
    uint32_t stall;            /* of the methods that are exported next; so what follows */
    struct registration words; /* weight, balance, caller, whole */
};

/* The scene of a test: a router, and peers that have sessions; made anew for each. */
extern struct rig rig;
extern struct router_limits rig_limits; /* of the next scene; then they are as always again */
extern struct peer client;
extern struct peer other;
extern struct peer worker;
extern struct peer second;
extern const char *const GREETER[]; /* "hello", and "again", which is idempotent */
int scene_setup(void **state);
/* Checks that every call ended and nothing is left. */
int scene_teardown(void **state);

/* Registers `service` with the methods named, "!" before a name makes it idempotent. */
enum busbar_status rig_export(struct peer *exporter, const char *service,
                              const char *const *methods);
/* The same as a whole, as workers without methods do. */
enum busbar_status rig_export_whole(struct peer *exporter, const char *service);
void rig_call(struct peer *caller, uint64_t id, const char *service, const char *method);
void rig_call_with(struct peer *caller, const struct packet *packet);
/* The same if nobody serves it now: it waits for so many ms. */
void rig_call_waiting(struct peer *caller, struct packet packet, uint32_t ms);
void rig_reply(struct peer *exporter, uint64_t id, const char *body);

/* A CALL of no metadata and no flags, for rig_call_with. */
struct packet rig_request(uint64_t id, const char *service, const char *method);
void rig_error(struct peer *exporter, uint64_t id, enum busbar_status status);
/* Gives the call back that was sent to the worker, with its body. */
void rig_return(struct peer *exporter, const struct sent *call);
/* The session ends, and the peer begins another one. */
void rig_lose(struct peer *peer);
/* Time passes. */
void rig_pass(uint64_t ms);

/* What was sent last of a command to a peer, NULL if nothing was. */
const struct sent *rig_last(const struct peer *to, uint8_t command);
size_t rig_count(const struct peer *to, uint8_t command);
void rig_forget(void);

/* The last error that was sent to a peer is this one. */
void rig_expect_error(const struct peer *to, enum busbar_status status, enum busbar_fate fate);

#endif
