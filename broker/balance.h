/*
 * Which of the workers that offer a method is given a call: one policy per service, by table. Knows
 * of workers only what they have to do and what they may take.
 */
#ifndef BROKER_BALANCE_H
#define BROKER_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/peer.h"
#include "broker/registry.h"

struct pick {
    const struct peer *except; /* not this one; NULL: any */
    uint64_t now;              /* ms */
    struct bytes key;          /* of a sticky call; empty for none */
    uint64_t *random;          /* state of a generator, not 0 */
};

static inline bool provider_may_take(const struct provider *provider, const struct peer *except,
                                     uint64_t now)
{
    return provider->worker != except && !provider->draining &&
           peer_has_credit(provider->worker, now);
}

/* NULL if none can take a call now. Not for a method with one provider: of that there is no choice. */
const struct provider *balance_pick(struct method *method, const struct pick *pick);

#endif
