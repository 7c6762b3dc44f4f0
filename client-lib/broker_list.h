/* Brokers as a user lists them: endpoints with commas between them, tried one after the other. */
#ifndef CLIENT_LIB_BROKER_LIST_H
#define CLIENT_LIB_BROKER_LIST_H

#include <busbar/status.h>
#include <stddef.h>

enum {
    BROKER_LIST_MAX = 64,
};

struct broker_list {
    char *text; /* the endpoints, each with its NUL */
    size_t count;
    const char *endpoints[BROKER_LIST_MAX + 1]; /* NULL-terminated */
};

/* Spaces around an endpoint do not count. BAD_ARGUMENT for one that is none, and for no or more than
 * BROKER_LIST_MAX endpoints; NO_MEMORY. */
enum busbar_status broker_list_init(struct broker_list *list, const char *text);
void broker_list_fini(struct broker_list *list);

#endif
