/* Least loaded, round robin, random and sticky; each walks the providers once and allocates nothing. */
#include "broker/balance.h"

#include "base/cleanup.h"

static bool may_take(const struct provider *provider, const struct pick *pick)
{
    return provider_may_take(provider, pick->except, pick->now);
}

/* The one that was picked last, as long as it is given a row of calls: see peer_answered(). */
static struct provider *pick_in_a_row(const struct method *method, const struct pick *pick)
{
    if (method->next == 0 || method->next > method->provider_count)
        return NULL;
    struct provider *last = &method->several[method->next - 1];
    struct peer *worker = last->worker;
    if (!peer_has_row(worker, pick->now) || !may_take(last, pick))
        return NULL;
    worker->row--;
    return last;
}

/* In relation to its weight; equals take turns. */
static struct provider *pick_least_loaded(struct method *method, const struct pick *pick)
{
    struct provider *best = pick_in_a_row(method, pick);
    if (best != NULL)
        return best;
    size_t count = method->provider_count;
    size_t at = method->next < count ? method->next : 0;
    size_t best_at = 0;
    for (size_t i = 0; i < count && (best == NULL || best->worker->load > 0); i++) {
        struct provider *provider = &method->several[at];
        if (may_take(provider, pick) &&
            (best == NULL || (uint64_t)provider->worker->load * best->weight <
                                 (uint64_t)best->worker->load * provider->weight)) {
            best = provider;
            best_at = at;
        }
        if (++at == count)
            at = 0;
    }
    if (best != NULL)
        method->next = (uint32_t)best_at + 1;
    return best;
}

/* Everybody's turn comes nearer by his weight; who is nearest has it and goes back by all weights. */
static struct provider *pick_in_turn(struct method *method, const struct pick *pick)
{
    struct provider *best = NULL;
    int64_t all = 0;
    for (size_t i = 0; i < method->provider_count; i++) {
        struct provider *provider = &method->several[i];
        if (!may_take(provider, pick))
            continue;
        provider->turn += provider->weight;
        all += provider->weight;
        if (best == NULL || provider->turn > best->turn)
            best = provider;
    }
    if (best != NULL)
        best->turn -= all;
    return best;
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Each new one takes the place of the one before with the chance that its weight has among all. */
static struct provider *pick_at_random(struct method *method, const struct pick *pick)
{
    struct provider *best = NULL;
    uint64_t all = 0;
    for (size_t i = 0; i < method->provider_count; i++) {
        struct provider *provider = &method->several[i];
        if (!may_take(provider, pick))
            continue;
        all += provider->weight;
        if (random_next(pick->random) % all < provider->weight)
            best = provider;
    }
    return best;
}

static uint64_t mix(uint64_t word)
{
    word ^= word >> 30;
    word *= 0xbf58476d1ce4e5b9u;
    word ^= word >> 27;
    word *= 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

/* -log2(word / 2^64) with 32 binary digits behind the point, linear between powers of two: it falls
 * as the word rises, which is all that an order needs. */
static uint64_t minus_log2(uint64_t word)
{
    word |= 1;
    int zeros = __builtin_clzll(word);
    uint64_t behind = zeros == 63 ? 0 : word << (zeros + 1);
    return ((uint64_t)(zeros + 1) << 32) - (behind >> 32);
}

/*
 * Rendezvous hashing: for a key each worker has a number of its own, made from both, and the lowest
 * takes the call. So a worker that comes or goes moves only the keys that it gets or had. Divided by
 * the weights, they share the keys in that proportion.
 */
static struct provider *pick_by_key(struct method *method, const struct pick *pick)
{
    static const struct siphash_key KEY = {0};
    struct provider *best = NULL;
    uint64_t best_cost = 0;
    if (pick->key.size == 0)
        return pick_least_loaded(method, pick);
    uint64_t hash = siphash(&KEY, pick->key.data, pick->key.size);
    for (size_t i = 0; i < method->provider_count; i++) {
        struct provider *provider = &method->several[i];
        if (!may_take(provider, pick))
            continue;
        uint64_t cost = minus_log2(mix(hash ^ provider->export->identity));
        if (best == NULL || cost * best->weight < best_cost * provider->weight) {
            best = provider;
            best_cost = cost;
        }
    }
    return best;
}

const struct provider *balance_pick(struct method *method, const struct pick *pick)
{
    static struct provider *(*const POLICIES[])(struct method *, const struct pick *) = {
        [BALANCE_UNSET] = pick_least_loaded,  [BALANCE_LEAST_LOADED] = pick_least_loaded,
        [BALANCE_ROUND_ROBIN] = pick_in_turn, [BALANCE_RANDOM] = pick_at_random,
        [BALANCE_STICKY] = pick_by_key,
    };
    return POLICIES[method->service->balance](method, pick);
}
