/* What packets are going to touch, fetched before their turn comes; nothing is decided here. */
#include "broker/router.h"

uint64_t router_foresee(const struct router *router, const struct packet *packet)
{
    if (packet->command == PACKET_CALL)
        return registry_foresee(&router->registry, packet->service, packet->method);
    if (packet->command == PACKET_REPLY)
        __builtin_prefetch(call_table_slot(&router->calls, packet->id));
    return 0;
}

void router_prefetch(const struct router *router, const struct packet *packet, uint64_t names_hash)
{
    if (names_hash != 0) {
        registry_prefetch(&router->registry, names_hash);
    } else if (packet->command == PACKET_REPLY) {
        const struct call *call = call_table_slot(&router->calls, packet->id);
        __builtin_prefetch(call == NULL ? NULL : call->method);
    }
}
