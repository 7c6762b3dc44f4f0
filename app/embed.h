/* A broker inside the process: libbusbar-broker, opened only when there is one, and its thread. */
#ifndef APP_EMBED_H
#define APP_EMBED_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>

struct app_log;
struct embed;

/* Is an endpoint one that can be embedded? NULL, or what it should be. Opens nothing. */
const char *embed_check(const char *endpoint);

/* Why an endpoint, in quotes, that other machines can reach is refused unless that is allowed. */
#define EMBED_OPEN_FORMAT                                                                          \
    "other machines could connect to %s, and without encryption; embed the broker at a loopback "  \
    "address such as 127.0.0.1, or set allow_plaintext"

/* Where it listens; with `allow_plaintext` that may be where other machines can connect. */
struct embed_place {
    const char *endpoint;
    bool allow_plaintext;
};

/* Starts it; clients may connect when this returns. The thread blocks all signals. On failure the
 * outcome of the thread names endpoint, library and reason. */
enum busbar_status embed_start(struct embed **ret, const struct embed_place *place,
                               struct app_log *log) __attribute__((warn_unused_result));

/* As it really is; borrowed. */
const char *embed_endpoint(const struct embed *embed);

/* Drains and ends it. */
void embed_stop(struct embed **embed);

#endif
