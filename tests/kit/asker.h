/* A native client beside Majordomo peers: its bodies are written as words too (tests/kit/majordomo.h). */
#ifndef TESTS_KIT_ASKER_H
#define TESTS_KIT_ASKER_H

#include <busbar/client.h>

#include "tests/kit/majordomo.h"

struct asker {
    struct busbar_client *client;
    const char *service;
};

/* Of the broker started last. */
void asker_init(struct asker *asker, struct kit *kit, const char *service);
void asker_fini(struct asker *asker);

/* Starts a call, and sends it: one frame is a raw body, several are a list of byte strings. `more` may
 * set what else is in a call; NULL for nothing. */
void asker_call(struct asker *asker, const char *method, const char *body,
                const struct busbar_call *more);

/* The next outcome must be OK and have this body; the next part must be there and have it. */
void asker_hear(struct asker *asker, const char *body);
void asker_hear_part(struct asker *asker, const char *body);

/* The same as asker_hear if an outcome comes; false if none does within the time. */
bool asker_is_told(struct asker *asker, const char *body, unsigned ms);

/* The next outcome must be this. */
void asker_hear_status(struct asker *asker, enum busbar_status status);

#endif
