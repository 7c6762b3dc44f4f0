/* What a link is made of; for link.c, which makes links, and link_call.c, which calls by them. */
#ifndef OBJECTS_LINK_BROKERS_H
#define OBJECTS_LINK_BROKERS_H

#include "objects/link.h"

#include <stdatomic.h>

#include "base/list.h"
#include "client-lib/fork_mark.h"
#include "objects/lender.h"

enum {
    LINK_BROKERS_MAX = 64,
};

struct link {
    struct list node; /* in `links` */
    struct links *links;
    size_t references; /* for the lock of `links` */
    struct fork_mark mark;
    char *name;
    char **endpoints;       /* NULL-terminated */
    atomic_size_t answered; /* index of the broker that answered last */
    size_t count;
    struct lender brokers[];
};

#endif
