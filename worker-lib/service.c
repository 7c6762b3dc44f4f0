/* Services and methods: checked and copied from the application, found again by name. */
#include "worker-lib/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "protocol/name.h"
#include "protocol/registration.h"

bool service_table_init(struct service_table *table)
{
    *table = (struct service_table){.last_id = 0};
    list_init(&table->services);
    random_bytes(&table->key, sizeof table->key);
    return map_init(&table->methods);
}

void service_table_fini(struct service_table *table)
{
    if (table->methods.buckets == NULL)
        return;
    LIST_EACH(node, &table->services)
        service_remove(table, CONTAINER_OF(node, struct service, link));
    map_fini(&table->methods);
}

struct context_owner *context_owner_new(const struct busbar_service *from)
{
    struct context_owner *owner = malloc(sizeof *owner);
    if (owner == NULL)
        return NULL;
    atomic_init(&owner->references, 1);
    owner->context = from->context;
    owner->free = from->context_free;
    return owner;
}

struct context_owner *context_owner_ref(struct context_owner *owner)
{
    atomic_fetch_add_explicit(&owner->references, 1, memory_order_relaxed);
    return owner;
}

void context_owner_unref(struct context_owner **owner)
{
    struct context_owner *left = STEAL(*owner);
    if (left == NULL || atomic_fetch_sub_explicit(&left->references, 1, memory_order_acq_rel) != 1)
        return;
    if (left->free != NULL)
        left->free(left->context);
    free(left);
}

void service_free(struct service *service)
{
    context_owner_unref(&service->owner);
    blob_unref(&service->registration);
    free(service->name);
    free(service);
}

static size_t tag_count(const char *const *tags)
{
    size_t count = 0;
    while (tags != NULL && tags[2 * count] != NULL && tags[2 * count + 1] != NULL)
        count++;
    return count;
}

/* Shows the application's strings as a registration; they are only read. */
static void registration_show(struct registration *to, const struct busbar_service *from)
{
    to->version = (char *)(uintptr_t)from->version;
    to->weight = from->weight;
    to->caller = (from->flags & BUSBAR_TELL_CALLER) != 0;
    if (from->balance != NULL)
        balance_of_name(&to->balance, from->balance);
    for (size_t i = 0; i < to->method_count; i++) {
        const struct busbar_method *method = &from->methods[i];
        to->methods[i] = (struct registration_method){
            .name = (char *)(uintptr_t)method->name,
            .signature = (char *)(uintptr_t)method->signature,
            .text = (char *)(uintptr_t)method->text,
            .stall = method->stall_ms,
            .idempotent = (method->flags & BUSBAR_IDEMPOTENT) != 0,
        };
    }
    for (size_t i = 0; i < to->tag_count; i++) {
        to->tags[i].name = (char *)(uintptr_t)from->tags[2 * i];
        to->tags[i].value = (char *)(uintptr_t)from->tags[2 * i + 1];
    }
}

static enum busbar_status registration_body(const struct busbar_service *from, void **ret,
                                            size_t *ret_size)
{
    struct registration registration = {
        .method_count = from->method_count,
        .tag_count = tag_count(from->tags),
    };
    registration.methods = calloc(registration.method_count + 1, sizeof *registration.methods);
    registration.tags = calloc(registration.tag_count + 1, sizeof *registration.tags);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (registration.methods != NULL && registration.tags != NULL) {
        registration_show(&registration, from);
        status = registration_encode(&registration, ret, ret_size);
    }
    free(registration.methods);
    free(registration.tags);
    return status;
}

/* What the broker would refuse is refused here: the encoded form is put to the same check. */
static enum busbar_status registration_blob(struct blob **ret, const struct busbar_service *from,
                                            const char **reason)
{
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    struct registration checked = {0};
    enum busbar_status status = registration_body(from, &data, &size);
    *reason = "the registration is too large, or one of its texts is not UTF-8";
    if (status == BUSBAR_OK)
        status = registration_decode(&checked, data, size, reason);
    registration_fini(&checked);
    if (status == BUSBAR_OK && (*ret = blob_copy(data, size)) == NULL)
        status = BUSBAR_NO_MEMORY;
    return status == BUSBAR_OK || status == BUSBAR_NO_MEMORY ? status : BUSBAR_BAD_ARGUMENT;
}

static const char *what_is_wrong_with_methods(const struct busbar_service *from)
{
    if (from->methods == NULL || from->method_count == 0 ||
        from->method_count > REGISTRATION_METHODS_MAX)
        return "the service has no methods, or too many";
    for (size_t i = 0; i < from->method_count; i++) {
        const struct busbar_method *method = &from->methods[i];
        if (method->name == NULL || method->handler == NULL)
            return "a method has no name or no handler";
        if ((method->flags & ~(unsigned)BUSBAR_IDEMPOTENT) != 0)
            return "a method has a flag that is not known";
        if (method->stall_ms > REGISTRATION_STALL_MAX)
            return "the stall time of a method is over a day";
    }
    return NULL;
}

static const char *what_is_wrong(const struct busbar_service *from)
{
    enum balance balance;
    if (from->name == NULL || !name_is_service(from->name, strlen(from->name)))
        return "the name of the service is outside the grammar";
    if (name_is_reserved(from->name, strlen(from->name)))
        return "the name of the service is reserved";
    if ((from->flags & ~(unsigned)BUSBAR_TELL_CALLER) != 0)
        return "the service has a flag that is not known";
    if (from->weight > REGISTRATION_WEIGHT_MAX)
        return "the weight of the service is over 10000";
    if (from->balance != NULL && !balance_of_name(&balance, from->balance))
        return "the balance of the service is not least_loaded, round_robin, random or sticky";
    for (size_t i = 0; i < ARRAY_SIZE(from->reserved); i++) {
        if (from->reserved[i] != NULL)
            return "a reserved member of the service is not 0";
    }
    return what_is_wrong_with_methods(from);
}

/* What CALLs name the methods of a service, with a NUL behind each. */
static size_t called_size(const struct busbar_service *from)
{
    size_t size = 0;
    for (size_t i = 0; i < from->method_count; i++)
        size += strlen(from->name) + strlen(from->methods[i].name) + 1;
    return size;
}

/* `called` has room for it; returns what is behind. */
static char *method_fill(struct method *method, const struct busbar_method *from, char *called)
{
    size_t service_size = strlen(method->service->name);
    size_t name_size = strlen(from->name);
    memcpy(called, method->service->name, service_size);
    memcpy(called + service_size, from->name, name_size + 1);
    method->handler = from->handler;
    method->called = called;
    method->called_size = service_size + name_size;
    method->name = called + service_size;
    return called + method->called_size + 1;
}

static bool service_fill(struct service *service, const struct busbar_service *from)
{
    char *called = (char *)&service->methods[from->method_count];
    service->context = from->context;
    service->name = strdup(from->name);
    for (size_t i = 0; i < from->method_count && service->name != NULL; i++) {
        service->methods[i].service = service;
        called = method_fill(&service->methods[i], &from->methods[i], called);
    }
    return service->name != NULL;
}

enum busbar_status service_new(struct service **ret, const struct busbar_service *from,
                               const char **reason)
{
    *reason = from == NULL ? "there is no service" : what_is_wrong(from);
    if (*reason != NULL)
        return BUSBAR_BAD_ARGUMENT;
    CLEANUP(service_unref)
    struct service *service = calloc(
        1, sizeof *service + from->method_count * sizeof service->methods[0] + called_size(from));
    if (service == NULL)
        return BUSBAR_NO_MEMORY;
    service->references = 1;
    service->method_count = from->method_count;
    list_init(&service->link);
    enum busbar_status status = registration_blob(&service->registration, from, reason);
    if (status == BUSBAR_OK && !service_fill(service, from))
        status = BUSBAR_NO_MEMORY;
    if (status == BUSBAR_OK)
        *ret = STEAL(service);
    return status;
}

struct service *service_find(const struct service_table *table, const char *name)
{
    LIST_EACH(node, &table->services) {
        struct service *service = CONTAINER_OF(node, struct service, link);
        if (service->state < SERVICE_LEAVING && strcmp(service->name, name) == 0)
            return service;
    }
    return NULL;
}

struct service *service_find_id(const struct service_table *table, uint64_t id)
{
    LIST_EACH(node, &table->services) {
        struct service *service = CONTAINER_OF(node, struct service, link);
        if (service->id == id)
            return service;
    }
    return NULL;
}

void service_index(struct service_table *table, struct service *service)
{
    if (service->indexed)
        return;
    service->indexed = true;
    for (size_t i = 0; i < service->method_count; i++) {
        struct method *method = &service->methods[i];
        map_insert(&table->methods, &method->node,
                   siphash(&table->key, method->called, method->called_size));
    }
}

void service_remove(struct service_table *table, struct service *service)
{
    for (size_t i = 0; service->indexed && i < service->method_count; i++)
        map_remove(&table->methods, &service->methods[i].node);
    service->indexed = false;
    table->recent = NULL;
    list_remove(&service->link);
    service_unref(&service);
}

/* The names lie one after the other in a packet, too. */
static bool is_called(const struct method *method, const struct packet *call)
{
    return call->service.size + call->method.size == method->called_size &&
           call->method.data - call->service.data == method->name - method->called &&
           memcmp(call->service.data, method->called, method->called_size) == 0;
}

struct method *service_method(struct service_table *table, const struct packet *call)
{
    if (table->recent != NULL && is_called(table->recent, call))
        return table->recent;
    uint64_t hash = siphash(&table->key, call->service.data,
                            call->service.size + call->method.size);
    struct map_node *node = map_first(&table->methods, hash);
    while (node != NULL && !is_called(CONTAINER_OF(node, struct method, node), call))
        node = map_next(node);
    if (node == NULL)
        return NULL;
    table->recent = CONTAINER_OF(node, struct method, node);
    return table->recent;
}
