/* What the wiring of an application needs of a proxy besides <busbar/object.h>. */
#ifndef OBJECTS_PROXY_H
#define OBJECTS_PROXY_H

#include <stdbool.h>

struct busbar_object;

/* The service it stands for, borrowed; NULL for an object that is no proxy. */
const char *proxy_service(const struct busbar_object *object);

/* Does it name no brokers, and so use those of its application? False for what is no proxy. */
bool proxy_uses_default(const struct busbar_object *object);

/* The brokers that it names, borrowed, ended by NULL; NULL if it names none or is no proxy. */
const char *const *proxy_brokers(const struct busbar_object *object);

#endif
