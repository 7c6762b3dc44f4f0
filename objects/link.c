/* Links by their lists of endpoints: made, counted, and freed. */
#include "objects/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "client-lib/broker_list.h"
#include "client-lib/endpoint.h"
#include "objects/link_brokers.h"
#include "objects/object.h"

enum {
    ENDPOINT_QUOTE_SIZE = 160,
};

struct links {
    struct fork_mark mark;
    atomic_uint references;
    pthread_mutex_t lock; /* of what follows, and the references of all links */
    struct list list;
    char **standard; /* endpoints for those who name none; NULL: the environment tells */
};

static void endpoints_free(char ***endpoints)
{
    char **freed = STEAL(*endpoints);
    for (size_t i = 0; freed != NULL && freed[i] != NULL; i++)
        free(freed[i]);
    free(freed);
}

static size_t endpoints_count(const char *const *endpoints)
{
    size_t count = 0;
    while (endpoints[count] != NULL)
        count++;
    return count;
}

static char **endpoints_copy(const char *const *endpoints)
{
    size_t count = endpoints_count(endpoints);
    CLEANUP(endpoints_free) char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(endpoints[i]);
        if (copy[i] == NULL)
            return NULL;
    }
    return STEAL(copy);
}

static bool endpoints_equal(char **a, const char *const *b)
{
    size_t i = 0;
    while (a[i] != NULL && b[i] != NULL && strcmp(a[i], b[i]) == 0)
        i++;
    return a[i] == NULL && b[i] == NULL;
}

static enum busbar_status endpoints_check(const char *const *endpoints)
{
    char quoted[ENDPOINT_QUOTE_SIZE];
    if (endpoints_count(endpoints) > LINK_BROKERS_MAX)
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "there may be at most %d brokers", LINK_BROKERS_MAX);
    for (size_t i = 0; endpoints[i] != NULL; i++) {
        if (!endpoint_is_valid(endpoints[i]))
            return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                               "%s is no endpoint of a broker, such as tcp://127.0.0.1:7766",
                               quote(quoted, sizeof quoted, endpoints[i], strlen(endpoints[i])));
    }
    return BUSBAR_OK;
}

static enum busbar_status no_memory(void)
{
    return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
}

static enum busbar_status forked(void)
{
    return busbar_fail(BUSBAR_FORKED, BUSBAR_NOT_EXECUTED, "%s", busbar_status_text(BUSBAR_FORKED));
}

enum busbar_status links_new(struct links **ret)
{
    struct links *links = calloc(1, sizeof *links);
    *ret = links;
    if (links == NULL)
        return no_memory();
    fork_mark_init(&links->mark);
    atomic_init(&links->references, 1);
    pthread_mutex_init(&links->lock, NULL);
    list_init(&links->list);
    return BUSBAR_OK;
}

struct links *links_ref(struct links *links)
{
    atomic_fetch_add_explicit(&links->references, 1, memory_order_relaxed);
    return links;
}

void links_unref(struct links **links)
{
    struct links *freed = STEAL(*links);
    if (freed == NULL ||
        atomic_fetch_sub_explicit(&freed->references, 1, memory_order_acq_rel) != 1)
        return;
    endpoints_free(&freed->standard);
    pthread_mutex_destroy(&freed->lock);
    fork_mark_fini(&freed->mark);
    free(freed);
}

enum busbar_status links_set_default(struct links *links, const char *const *endpoints)
{
    CLEANUP(endpoints_free) char **copy = NULL;
    if (fork_mark_is_forked(&links->mark))
        return forked();
    if (endpoints != NULL) {
        enum busbar_status status = endpoints_check(endpoints);
        if (status != BUSBAR_OK)
            return status;
        copy = endpoints_copy(endpoints);
        if (copy == NULL)
            return no_memory();
    }
    pthread_mutex_lock(&links->lock);
    char **before = links->standard;
    links->standard = STEAL(copy);
    pthread_mutex_unlock(&links->lock);
    endpoints_free(&before);
    return BUSBAR_OK;
}

static void link_free(struct link **link)
{
    struct link *freed = STEAL(*link);
    if (freed == NULL)
        return;
    for (size_t i = 0; i < freed->count; i++)
        lender_fini(&freed->brokers[i]);
    endpoints_free(&freed->endpoints);
    free(freed->name);
    fork_mark_fini(&freed->mark);
    links_unref(&freed->links);
    free(freed);
}

static char *name_of(const char *const *endpoints)
{
    size_t size = 1;
    for (size_t i = 0; endpoints[i] != NULL; i++)
        size += strlen(endpoints[i]) + 2;
    char *name = malloc(size);
    if (name == NULL)
        return NULL;
    char *end = name;
    *end = '\0';
    for (size_t i = 0; endpoints[i] != NULL; i++)
        end = stpcpy(stpcpy(end, i > 0 ? ", " : ""), endpoints[i]);
    return name;
}

static enum busbar_status link_new(struct links *links, const char *const *endpoints,
                                   struct link **ret)
{
    size_t count = endpoints_count(endpoints);
    CLEANUP(link_free)
    struct link *link = calloc(1, sizeof *link + count * sizeof link->brokers[0]);
    if (link == NULL)
        return no_memory();
    list_init(&link->node);
    fork_mark_init(&link->mark);
    link->references = 1;
    link->links = links_ref(links);
    link->endpoints = endpoints_copy(endpoints);
    link->name = name_of(endpoints);
    if (link->endpoints == NULL || link->name == NULL)
        return no_memory();
    for (; link->count < count; link->count++)
        lender_init(&link->brokers[link->count], link->endpoints[link->count]);
    *ret = STEAL(link);
    return BUSBAR_OK;
}

/* With the lock held. */
static enum busbar_status find_or_make(struct links *links, const char *const *endpoints,
                                       struct link **ret)
{
    LIST_EACH(node, &links->list) {
        struct link *link = CONTAINER_OF(node, struct link, node);
        if (endpoints_equal(link->endpoints, endpoints)) {
            link->references++;
            *ret = link;
            return BUSBAR_OK;
        }
    }
    enum busbar_status status = link_new(links, endpoints, ret);
    if (*ret != NULL)
        list_append(&links->list, &(*ret)->node);
    return status;
}

/* The endpoints that the environment names, or the default; what is no list is refused later, as the
 * endpoint that it is not. */
static enum busbar_status ask_environment(struct broker_list *list)
{
    const char *named = getenv("BUSBAR_BROKER");
    if (named == NULL || named[0] == '\0')
        named = BUSBAR_DEFAULT_BROKER;
    enum busbar_status status = broker_list_init(list, named);
    if (status == BUSBAR_BAD_ARGUMENT)
        list->endpoints[0] = named;
    return status == BUSBAR_NO_MEMORY ? no_memory() : BUSBAR_OK;
}

/* With the lock held: the endpoints that are meant; `asked` are those of the environment. */
static const char *const *resolve(const struct links *links, const char *const *endpoints,
                                  const struct broker_list *asked)
{
    if (endpoints != NULL && endpoints[0] != NULL)
        return endpoints;
    if (links->standard != NULL && links->standard[0] != NULL)
        return (const char *const *)links->standard;
    return asked->endpoints;
}

enum busbar_status links_get(struct links *links, const char *const *endpoints, struct link **ret)
{
    CLEANUP(broker_list_fini) struct broker_list asked = {0};
    *ret = NULL;
    if (fork_mark_is_forked(&links->mark))
        return forked();
    enum busbar_status status = ask_environment(&asked);
    if (status != BUSBAR_OK)
        return status;
    pthread_mutex_lock(&links->lock);
    endpoints = resolve(links, endpoints, &asked);
    status = endpoints_check(endpoints);
    if (status == BUSBAR_OK)
        status = find_or_make(links, endpoints, ret);
    pthread_mutex_unlock(&links->lock);
    return status;
}

/* In the child of a fork others are gone, and the lock may be held for ever. */
void link_unref(struct link **link)
{
    struct link *left = STEAL(*link);
    if (left == NULL)
        return;
    bool is_forked = fork_mark_is_forked(&left->mark);
    struct links *links = left->links;
    if (!is_forked)
        pthread_mutex_lock(&links->lock);
    bool last = --left->references == 0;
    if (last && !is_forked)
        list_remove(&left->node);
    if (!is_forked)
        pthread_mutex_unlock(&links->lock);
    if (last)
        link_free(&left);
}

const char *link_name(const struct link *link)
{
    return link->name;
}
