/*
 * Connections to brokers that any thread may use: clients are lent to one call at a time and kept
 * for the next. Keeps <busbar/client.h>, whose clients belong to one thread, from the proxies.
 */
#ifndef OBJECTS_LINK_H
#define OBJECTS_LINK_H

#include <busbar/client.h>
#include <stdbool.h>

#include "objects/lender.h"

/* The brokers of one list of endpoints, counted. */
struct link;

/* The links of an application, by their lists of endpoints; and which list stands for "none said". */
struct links;

enum busbar_status links_new(struct links **ret) __attribute__((warn_unused_result));
struct links *links_ref(struct links *links);
void links_unref(struct links **links);

/* The endpoints for proxies that name none: copied; NULL: $BUSBAR_BROKER, else the default. Before
 * the first call; later changes hold for links got from then on. */
enum busbar_status links_set_default(struct links *links, const char *const *endpoints)
    __attribute__((warn_unused_result));

/* The link of a list of endpoints (NULL-terminated; NULL: the default), made if there is none. */
enum busbar_status links_get(struct links *links, const char *const *endpoints, struct link **ret)
    __attribute__((warn_unused_result));
void link_unref(struct link **link);

/* "tcp://a:1, tcp://b:2", for errors; borrowed. */
const char *link_name(const struct link *link);

struct link_call {
    struct busbar_call call;          /* callback must be NULL; the body is taken */
    bool (*cancelled)(void *context); /* NULL: never */
    void *context;
    bool has_others; /* somebody else can be asked: a broker that is not there is given up sooner */
};

/* The reply and, since it belongs to that, the client that it came by, lent until this is ended. */
struct link_reply {
    struct busbar_reply *reply; /* NULL if no call could be made: then there is nothing to end */
    struct lent lent;
    struct lender *broker;
};
void link_reply_fini(struct link_reply *reply);

/*
 * Calls and waits. Tries the brokers of the list in order, beginning with the one that answered
 * last: the next one when a broker cannot be reached and nothing was executed. A handler's place in
 * its worker is given up while this waits (client-lib/place.h). Returns the status of the reply;
 * the reply is NULL only when no call could be made, and the outcome of the thread is set then.
 */
enum busbar_status link_call(struct link *link, struct link_call *call, struct link_reply *ret)
    __attribute__((warn_unused_result));

/* Around any other wait of a handler's thread, such as the pause before a repetition: gives up its
 * place, if it has one, and takes it again. False: too many wait already; it is kept. */
struct place;
bool link_leave(struct place **ret);
void link_return(struct place **place);

#endif
