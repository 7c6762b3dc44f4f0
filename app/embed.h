/* A broker inside the process: libbusbar-broker, opened only when there is one, and its thread. */
#ifndef APP_EMBED_H
#define APP_EMBED_H

#include <busbar/status.h>
#include <stddef.h>

struct app_log;
struct embed;

/* Is an endpoint one that can be embedded? NULL, or what it should be. Opens nothing. */
const char *embed_check(const char *endpoint);

/* Starts it; clients may connect when this returns. The thread blocks all signals. On failure the
 * outcome of the thread names endpoint, library and reason. */
enum busbar_status embed_start(struct embed **ret, const char *endpoint, struct app_log *log)
    __attribute__((warn_unused_result));

/* As it really is; borrowed. */
const char *embed_endpoint(const struct embed *embed);

/* Drains and ends it. */
void embed_stop(struct embed **embed);

#endif
