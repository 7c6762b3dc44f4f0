/* What the configuration says of services, by name or prefix; who reads the file does not matter. */
#ifndef BROKER_RULES_H
#define BROKER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/packet.h"
#include "protocol/registration.h"

struct service_rule {
    char *name; /* of a service; or of all whose names begin so, if it ends with '*' */
    enum balance balance;
    uint64_t queue_calls; /* 0 in any of these: not said */
    uint64_t queue_bytes;
    uint32_t queue_age; /* ms */
    char *method;      /* that requests of Majordomo clients call; "": their first frame names it */
    bool method_frame; /* Majordomo workers get a native call's method as a frame before its body */
};

/* The rule for a service: its name comes before a prefix, a longer prefix before a shorter one. NULL
 * for none. */
const struct service_rule *rules_find(const struct service_rule *rules, size_t count,
                                      struct bytes name);

#endif
