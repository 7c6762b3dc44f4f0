/* Both sides compared from time to time, beyond what can be seen from outside. */
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

/* The outcomes that the router counted. */
static uint64_t counted_outcomes(const struct counters *counters)
{
    uint64_t sum = 0;
#define ADD(name, text)                                                                            \
    if (__builtin_strncmp(#name, "outcome_", 8) == 0)                                              \
        sum += counters->name;
    COUNTER_TABLE(ADD)
#undef ADD
    return sum;
}

static void check_peer(const struct world *world, uint8_t peer)
{
    const struct model_peer *known = &world->model.peers[peer];
    router_check_peer(&world->router, &world->peers[peer]);
    if (world->peers[peer].load != known->held_count)
        history_fail("worker %u has %u calls and is counted as having %u", peer, known->held_count,
                     world->peers[peer].load);
}

static void check_budget(const struct world *world, uint8_t number, uint32_t budget)
{
    const struct model_service *service = &world->model.services[number];
    if (budget < service->budget_least || budget > service->budget_most)
        history_fail("the budget of service %u is %u and should be %llu to %llu", number, budget,
                     (unsigned long long)service->budget_least,
                     (unsigned long long)service->budget_most);
}

/* As many as somebody offers or a call refers to; returns how many. */
static size_t check_methods(const struct world *world, uint8_t number, const struct service *known)
{
    size_t least;
    size_t most;
    size_t methods = known == NULL ? 0 : known->method_count;
    model_count_methods(&world->model, number, &least, &most);
    if (methods < least || methods > most)
        history_fail("service %u has %zu methods, %zu to %zu are referred to", number, methods,
                     least, most);
    return methods;
}

/* Returns how many methods it has. */
static size_t check_service(const struct world *world, uint8_t number)
{
    const struct service *known = registry_find_service(&world->router.registry,
                                                        service_name(number));
    const struct model_service *service = &world->model.services[number];
    size_t queued = known == NULL ? 0 : known->queued;
    if (known != NULL && world->model.limits.retry_reserve != 0)
        check_budget(world, number, known->budget);
    if (queued < service->waiting_calls || queued > service->waiting_calls + world->model.uncertain)
        history_fail("%u calls wait for service %u and %zu are counted", service->waiting_calls,
                     number, queued);
    return check_methods(world, number, known);
}

void world_check(struct world *world)
{
    const struct model *model = &world->model;
    uint64_t outcomes = counted_outcomes(&world->counters);
    router_check(&world->router);
    for (unsigned peer = 0; peer < PEERS; peer++)
        check_peer(world, (uint8_t)peer);
    size_t methods = 0;
    for (unsigned service = 0; service < SERVICES; service++)
        methods += check_service(world, (uint8_t)service);
    if (world->router.registry.methods.count != methods)
        history_fail("%zu methods are in the registry, %zu in its services",
                     world->router.registry.methods.count, methods);
    if (world->router.calls.count > model->live_count ||
        world->router.calls.count + model->uncertain < model->live_count)
        history_fail("%u calls are under way and %zu are in the table", model->live_count,
                     world->router.calls.count);
    if (world->counters.calls_received != model->received || outcomes != model->outcomes)
        history_fail("%llu outcomes of %llu calls are counted, there were %llu of %llu",
                     (unsigned long long)outcomes,
                     (unsigned long long)world->counters.calls_received,
                     (unsigned long long)model->outcomes, (unsigned long long)model->received);
    uint64_t house = world->counters.oneway_done + world->counters.oneway_failed;
    if (house < model->house_over || house > model->house_over + model->uncertain)
        history_fail("%llu oneway calls are over and %llu are counted",
                     (unsigned long long)model->house_over, (unsigned long long)house);
    uint64_t wait = router_wait(&world->router, world->now);
    uint64_t next = model_next_deadline(model);
    if (next != UINT64_MAX && (wait == UINT64_MAX || world->now + wait > next))
        history_fail("the router would sleep past a deadline");
}
