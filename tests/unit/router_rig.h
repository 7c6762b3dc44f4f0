/* A router on its own with a sink that remembers what was sent, for the tests of the router. */
#ifndef TESTS_ROUTER_RIG_H
#define TESTS_ROUTER_RIG_H

#include "broker/router.h"

enum {
    RIG_SENT_MAX = 4096,
    RIG_BODY_MAX = 64,
    RIG_TIMEOUT_MS = 2000,
};

struct sent {
    struct peer *to;
    struct packet packet; /* its runs are not kept */
    char body[RIG_BODY_MAX];
};

struct rig {
    struct router router;
    struct counters counters;
    struct sent sent[RIG_SENT_MAX];
    size_t sent_count;
    uint64_t now;
};

void rig_init(struct rig *rig);
/* Checks that every call ended; the peers must be gone. */
void rig_fini(struct rig *rig);

/* Registers `service` with the methods named, "!" before a name makes it idempotent. */
enum busbar_status rig_export(struct rig *rig, struct peer *worker, const char *service,
                              const char *const *methods);
void rig_call(struct rig *rig, struct peer *client, uint64_t id, const char *service,
              const char *method);
void rig_call_with(struct rig *rig, struct peer *client, const struct packet *packet);
void rig_reply(struct rig *rig, struct peer *worker, uint64_t id, const char *body);

/* What was sent last of a command to a peer, NULL if nothing was. */
const struct sent *rig_last(const struct rig *rig, const struct peer *to, uint8_t command);
size_t rig_count(const struct rig *rig, const struct peer *to, uint8_t command);
void rig_forget(struct rig *rig);

#endif
