/* The grammar of service and method names; keeps its character table from others. */
#ifndef PROTOCOL_NAME_H
#define PROTOCOL_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NAME_SIZE_MAX = 127, /* bytes of a service or method name */
};

/* [A-Za-z0-9_][A-Za-z0-9_.:-]{0,126}: may be called, reserved names included. */
bool name_is_service(const char *name, size_t size);
/* The size of a text that is such a name; 0 for one that is none. */
size_t name_service_size(const char *text);

/* [A-Za-z0-9_]{1,127} */
bool name_is_method(const char *name, size_t size);
size_t name_method_size(const char *text);

/* What Majordomo peers may name a service: 1 to 127 of printable ASCII, but no space, '"' or '\\'. */
bool name_is_majordomo(const char *name, size_t size);

/* Names the bus keeps for itself: `bus`, `bus.*`, `mmi.*`, `titanic.*` and a leading `_`. */
bool name_is_reserved(const char *name, size_t size);

#endif
