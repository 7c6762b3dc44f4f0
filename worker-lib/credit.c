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

static uint64_t average(uint64_t before, uint64_t sample)
{
    return before - before / AVERAGE_WEIGHT + sample / AVERAGE_WEIGHT;
}

void credit_measure(struct credit *credit, uint64_t handler_ns, uint64_t body_size)
{
    bool is_first = credit->samples == 0;
    handler_ns = sample_limit(handler_ns);
    credit->handler_ns = is_first ? handler_ns : average(credit->handler_ns, handler_ns);
    credit->body_size = is_first ? body_size : average(credit->body_size, body_size);
    if (!credit_is_known(credit))
        credit->samples++;
}

uint64_t credit_handler_ns(const struct credit *credit, uint64_t busy_ns)
{
    if (busy_ns <= credit->handler_ns)
        return credit->handler_ns;
    busy_ns = sample_limit(busy_ns);
    return credit->samples == 0 ? busy_ns : average(credit->handler_ns, busy_ns);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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
    wanted = lesser(wanted, CREDIT_BYTES / (credit->body_size + 1));
    wanted = lesser(wanted, (uint64_t)credit->in_force * GROWTH_MAX);
    wanted = lesser(wanted, CREDIT_MAX);
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
