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

static struct registration registration_of(uint32_t methods, uint32_t repeatable)
{
    struct registration registration = {.version = strdup("")};
    registration.methods = calloc(METHODS, sizeof *registration.methods);
    for (uint8_t method = 0; method < METHODS; method++) {
        if ((methods & bit(method)) == 0)
            continue;
        registration.methods[registration.method_count++] = (struct registration_method){
            .name = copy(method_name_of(method)),
            .signature = strdup(""),
            .text = strdup(""),
            .idempotent = (repeatable & bit(method)) != 0};
    }
    return registration;
}

void do_register(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t service = (uint8_t)pick(world, SERVICES);
    uint32_t methods = 1 + pick(world, (1 << METHODS) - 1);
    uint32_t repeatable = pick(world, 1 << METHODS);
    const char *reason = "";
    struct registration registration = registration_of(methods, repeatable);
    enum busbar_status expected = model->draining ? BUSBAR_DRAINING : BUSBAR_OK;
    if (!model->draining && (model->exports[service] & bit(peer)) != 0)
        expected = BUSBAR_CONFLICT;
    history_add("worker %llu registers service %llu, methods %#llx, idempotent %#llx", peer,
                service, methods, repeatable);
    enum busbar_status status = router_register(&world->router, &world->peers[peer],
                                                service_name(service), &registration, &reason);
    if (status != expected)
        history_fail("REGISTER ended as %s", busbar_status_name(status));
    if (status == BUSBAR_OK) {
        model_register(model, peer, service, methods, repeatable);
        router_serve(&world->router, &world->peers[peer], world->now);
    }
    model_settle(model);
}

void do_deregister(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t service = (uint8_t)pick(world, SERVICES);
    const char *reason = "";
    bool known = (model->exports[service] & bit(peer)) != 0;
    history_add("worker %llu deregisters service %llu", peer, service, 0, 0);
    model_deregister(model, peer, service);
    enum busbar_status status = router_deregister(&world->router, &world->peers[peer],
                                                  service_name(service), &reason);
    if (status != (known ? BUSBAR_OK : BUSBAR_NO_SERVICE))
        history_fail("DEREGISTER ended as %s", busbar_status_name(status));
    model_settle(model);
}
