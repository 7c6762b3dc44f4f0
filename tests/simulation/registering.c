/* The random events of registrations. */
#include <busbar/status.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/events.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

static char *copy(struct bytes text)
{
    return strndup((const char *)text.data, text.size);
}

static struct registration registration_of(const struct offer *offer)
{
    struct registration registration = {
        .version = strdup(""), .caller = offer->named, .whole = (offer->methods & bit(WHOLE)) != 0};
    registration.methods = calloc(NAMES, sizeof *registration.methods);
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned method = (WHOLE + i) % NAMES; /* the empty name is the first */
        if ((offer->methods & bit(method)) == 0)
            continue;
        registration.methods[registration.method_count++] = (struct registration_method){
            .name = copy(method_name_of((uint8_t)method)),
            .signature = strdup(""),
            .text = strdup(""),
            .stall = offer->stall,
            .idempotent = (offer->repeatable & bit(method)) != 0};
    }
    return registration;
}

/* Whoever takes the whole service lets all of it be repeated, and offers little by name. */
static void offer_whole(struct world *world, struct offer *offer)
{
    offer->methods = (uint32_t)bit(WHOLE);
    offer->repeatable = UINT32_MAX;
    if (one_in(world, 4))
        offer->methods |= (uint32_t)bit(pick(world, METHODS));
}

static enum busbar_status registering_ends_as(const struct model *model, const struct offer *offer)
{
    if (offer->service == FOREIGN && (offer->methods & bit(WHOLE)) == 0)
        return BUSBAR_BAD_REQUEST;
    if (model->draining)
        return BUSBAR_DRAINING;
    return (model->services[offer->service].exports & bit(offer->worker)) != 0 ? BUSBAR_CONFLICT
                                                                               : BUSBAR_OK;
}

void do_register(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    struct offer offer = {
        .worker = peer,
        .service = pick_service(world),
        .methods = 1 + pick(world, (1 << METHODS) - 1),
        .repeatable = pick(world, 1 << METHODS),
        .stall = one_in(world, 4) ? 1 + pick(world, 60) : 0,
        .named = one_in(world, 3),
    };
    const char *reason = "";
    if (one_in(world, offer.service == FOREIGN ? 2 : 4))
        offer_whole(world, &offer);
    struct registration registration = registration_of(&offer);
    enum busbar_status expected = registering_ends_as(model, &offer);
    history_add("worker %llu registers service %llu, methods %#llx, idempotent %#llx", peer,
                offer.service, offer.methods, offer.repeatable);
    enum busbar_status status = router_register(
        &world->router, &world->peers[peer], service_name(offer.service), &registration, &reason);
    if (status != expected)
        history_fail("REGISTER ended as %s", busbar_status_name(status));
    if (status == BUSBAR_OK) {
        model_register(model, &offer);
        router_serve(&world->router, &world->peers[peer], world->now);
    }
    model_settle(model);
}

void do_deregister(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t service = pick_service(world);
    const char *reason = "";
    bool known = (model->services[service].exports & bit(peer)) != 0;
    history_add("worker %llu deregisters service %llu", peer, service, 0, 0);
    model_deregister(model, peer, service);
    enum busbar_status status = router_deregister(&world->router, &world->peers[peer],
                                                  service_name(service), &reason);
    if (status != (known ? BUSBAR_OK : BUSBAR_NO_SERVICE))
        history_fail("DEREGISTER ended as %s", busbar_status_name(status));
    model_settle(model);
}

/* Of one worker or all: no more calls of the service, or calls again. */
void do_drain(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t service = pick_service(world);
    bool all = one_in(world, 4);
    bool drain = one_in(world, 2);
    uint32_t workers = all ? UINT32_MAX : (uint32_t)bit(peer);
    struct router_drained drained;
    history_add("service %llu, worker %llu (all: %llu): drained %llu", service, peer, all, drain);
    bool known = (model->services[service].exports & workers) != 0;
    model_drain(model, service, workers, drain);
    enum busbar_status status = router_drain(&world->router, service_name(service),
                                             all ? 0 : world->peers[peer].number, drain, &drained,
                                             world->now);
    if (status != (known ? BUSBAR_OK : BUSBAR_NO_SERVICE))
        history_fail("draining ended as %s", busbar_status_name(status));
    if (drained.workers != (uint64_t)__builtin_popcount(model->services[service].exports & workers))
        history_fail("draining concerned %llu workers", (unsigned long long)drained.workers);
    model_settle(model);
}
