/* The credit of a worker: a moving average, and what follows from it. */
#include "worker-lib/credit.h"

enum {
    AVERAGE_WEIGHT = 8,                /* a sample counts for an eighth */
    SAMPLE_NS_MAX = 100 * 1000 * 1000, /* so that one long pause is forgotten soon */
    GROWTH_MAX = 4,
};

void credit_init(struct credit *credit, uint32_t threads, uint32_t fixed)
{
    *credit = (struct credit){.threads = threads, .fixed = fixed, .in_force = 1};
}

static uint64_t sample_limit(uint64_t sample_ns)
{
    return sample_ns > SAMPLE_NS_MAX ? SAMPLE_NS_MAX : sample_ns;
}

static uint64_t average(uint64_t before, uint64_t sample_ns)
{
    return before - before / AVERAGE_WEIGHT + sample_limit(sample_ns) / AVERAGE_WEIGHT;
}

void credit_measure(struct credit *credit, uint64_t handler_ns)
{
    if (credit->samples == 0)
        credit->handler_ns = sample_limit(handler_ns);
    else
        credit->handler_ns = average(credit->handler_ns, handler_ns);
    if (!credit_is_known(credit))
        credit->samples++;
}

uint64_t credit_handler_ns(const struct credit *credit, uint64_t busy_ns)
{
    if (busy_ns <= credit->handler_ns)
        return credit->handler_ns;
    return credit->samples == 0 ? sample_limit(busy_ns) : average(credit->handler_ns, busy_ns);
}

uint32_t credit_wanted(const struct credit *credit, uint64_t busy_ns)
{
    uint32_t least = credit->threads + 1;
    if (credit->fixed != 0)
        return credit->fixed;
    if (!credit_is_known(credit))
        return least;
    uint64_t handler_ns = credit_handler_ns(credit, busy_ns) + 1;
    uint64_t wanted = (uint64_t)credit->threads * CREDIT_TARGET_NS / handler_ns;
    uint64_t reachable = (uint64_t)credit->in_force * GROWTH_MAX;
    if (wanted > reachable)
        wanted = reachable;
    if (wanted > CREDIT_MAX)
        wanted = CREDIT_MAX;
    return wanted < least ? least : (uint32_t)wanted;
}

bool credit_is_off(const struct credit *credit, uint32_t wanted)
{
    uint32_t now = credit->in_force;
    uint32_t difference = wanted > now ? wanted - now : now - wanted;
    if (credit->fixed != 0)
        return difference > 0;
    return (uint64_t)difference * 4 > now;
}
