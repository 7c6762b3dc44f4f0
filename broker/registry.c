/* Services, methods and exports, linked to each other; each is freed when nobody refers to it. */
#include "broker/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "broker/peer.h"
#include "protocol/name.h"

enum {
    CACHE_LINE = 64,
};

bool registry_init(struct registry *registry)
{
    *registry = (struct registry){0};
    random_bytes(&registry->key, sizeof registry->key);
    if (!map_init(&registry->services))
        return false;
    if (map_init(&registry->methods))
        return true;
    map_fini(&registry->services);
    return false;
}

void registry_fini(struct registry *registry)
{
    map_fini(&registry->methods);
    map_fini(&registry->services);
}

/* The names as one run; in a packet they already stand one after the other. */
static uint64_t hash_names(const struct registry *registry, struct bytes service,
                           struct bytes method)
{
    uint8_t names[2 * NAME_SIZE_MAX];
    if (method.size == 0 || service.data + service.size == method.data)
        return siphash(&registry->key, service.data, service.size + method.size);
    memcpy(names, service.data, service.size);
    memcpy(names + service.size, method.data, method.size);
    return siphash(&registry->key, names, service.size + method.size);
}

static struct method *method_find_hashed(const struct registry *registry, struct bytes service,
                                         struct bytes name, uint64_t hash)
{
    for (struct map_node *node = map_first(&registry->methods, hash); node != NULL;
         node = map_next(node)) {
        struct method *method = CONTAINER_OF(node, struct method, by_name);
        if (method_is(method, service, name))
            return method;
    }
    return NULL;
}

static struct method *method_find(const struct registry *registry, struct bytes service,
                                  struct bytes name)
{
    return method_find_hashed(registry, service, name, hash_names(registry, service, name));
}

uint64_t registry_foresee(const struct registry *registry, struct bytes service, struct bytes name)
{
    if (registry->recent != NULL && method_is(registry->recent, service, name))
        return 0;
    uint64_t hash = hash_names(registry, service, name);
    map_prefetch_bucket(&registry->methods, hash);
    return hash;
}

void registry_prefetch(const struct registry *registry, uint64_t names_hash)
{
    const char *node = (const char *)map_prefetch_first(&registry->methods, names_hash);
    if (node != NULL)
        __builtin_prefetch(node + CACHE_LINE); /* the provider and the names */
}

struct method *registry_look_up(struct registry *registry, struct bytes service, struct bytes name,
                                uint64_t names_hash)
{
    struct method *method = names_hash == 0
                                ? method_find(registry, service, name)
                                : method_find_hashed(registry, service, name, names_hash);
    if (method == NULL || method->provider_count == 0)
        return NULL;
    registry->recent = method;
    return method;
}

struct service *registry_find_service(const struct registry *registry, struct bytes name)
{
    uint64_t hash = siphash(&registry->key, name.data, name.size);
    for (struct map_node *node = map_first(&registry->services, hash); node != NULL;
         node = map_next(node)) {
        struct service *service = CONTAINER_OF(node, struct service, by_name);
        if (service->name_size == name.size && memcmp(service->name, name.data, name.size) == 0)
            return service;
    }
    return NULL;
}

static struct service *service_new(struct registry *registry, struct bytes name)
{
    struct service *service = calloc(1, sizeof *service + name.size + 1);
    if (service == NULL)
        return NULL;
    memcpy(service->name, name.data, name.size);
    service->name_size = name.size;
    service->rule = rules_find(registry->rules, registry->rule_count, name);
    service->budget = registry->budget;
    service->balance = service->rule != NULL ? service->rule->balance : BALANCE_UNSET;
    list_init(&service->exports);
    list_init(&service->flows);
    list_init(&service->waiting);
    map_insert(&registry->services, &service->by_name,
               siphash(&registry->key, name.data, name.size));
    return service;
}

static void service_collect(struct registry *registry, struct service *service)
{
    if (service->method_count > 0 || !list_is_empty(&service->exports))
        return;
    assert(list_is_empty(&service->flows) && service->running == 0);
    map_remove(&registry->services, &service->by_name);
    free(service->offered);
    free(service);
}

static bool service_grow(struct service *service)
{
    size_t slots = service->offered_slots == 0 ? 4 : service->offered_slots * 2;
    struct method **offered = realloc(service->offered, slots * sizeof(struct method *));
    if (offered == NULL)
        return false;
    memset(offered + service->offered_slots, 0,
           (slots - service->offered_slots) * sizeof(struct method *));
    service->offered = offered;
    service->offered_slots = slots;
    return true;
}

/* The lowest free index for a method that is offered for the first time, so that the bit sets of
 * exports stay short. One that calls alone refer to needs none. */
static bool method_number(struct method *method)
{
    struct service *service = method->service;
    size_t index = service->offered_from;
    if (method->index != UINT32_MAX)
        return true;
    while (index < service->offered_slots && service->offered[index] != NULL)
        index++;
    if (index == service->offered_slots && !service_grow(service))
        return false;
    service->offered[index] = method;
    service->offered_from = index + 1;
    method->index = (uint32_t)index;
    return true;
}

/* Where a cache line begins; all zeros. */
static struct method *method_allocate(size_t names_size)
{
    size_t size = (sizeof(struct method) + names_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct method *method = aligned_alloc(CACHE_LINE, size);
    if (method != NULL)
        memset(method, 0, size);
    return method;
}

static struct method *method_new(struct registry *registry, struct service *service,
                                 struct bytes name)
{
    struct bytes owner = {.data = (const uint8_t *)service->name, .size = service->name_size};
    struct method *method = method_allocate(service->name_size + name.size);
    if (method == NULL)
        return NULL;
    method->service = service;
    method->index = UINT32_MAX;
    method->service_size = (uint8_t)service->name_size;
    method->method_size = (uint8_t)name.size;
    memcpy(method->names, service->name, service->name_size);
    if (name.size > 0)
        memcpy(method->names + service->name_size, name.data, name.size);
    if (name.size == 0)
        service->whole = method;
    service->method_count++;
    map_insert(&registry->methods, &method->by_name, hash_names(registry, owner, name));
    return method;
}

void method_end(struct registry *registry, struct method *method)
{
    struct service *service = method->service;
    assert(method->provider_count == 0);
    if (registry->recent == method)
        registry->recent = NULL;
    map_remove(&registry->methods, &method->by_name);
    if (method->index != UINT32_MAX) {
        service->offered[method->index] = NULL;
        if (method->index < service->offered_from)
            service->offered_from = method->index;
    }
    service->method_count--;
    if (service->whole == method)
        service->whole = NULL;
    free(method);
    service_collect(registry, service);
}

struct method *registry_await_method(struct registry *registry, struct bytes service,
                                     struct bytes name)
{
    struct method *method = method_find(registry, service, name);
    struct service *owner = registry_find_service(registry, service);
    if (method != NULL)
        return method;
    if (owner == NULL)
        owner = service_new(registry, service);
    if (owner == NULL)
        return NULL;
    method = method_new(registry, owner, name);
    if (method == NULL)
        service_collect(registry, owner);
    return method;
}

/* Makes the export's bit set long enough. */
static bool export_reserve(struct export *export, uint32_t index)
{
    size_t words = index / 64 + 1;
    if (words <= export->offer_words)
        return true;
    uint64_t *offers = realloc(export->offers, words * sizeof *offers);
    if (offers == NULL)
        return false;
    memset(offers + export->offer_words, 0, (words - export->offer_words) * sizeof *offers);
    export->offers = offers;
    export->offer_words = words;
    return true;
}

/* Offers one method of the registration; on failure the export is left as it was. */
static bool export_add_method(struct registry *registry, struct export *export, size_t position)
{
    const struct registration_method *told = &export->registration.methods[position];
    struct service *service = export->service;
    struct bytes owner = {.data = (const uint8_t *)service->name, .size = service->name_size};
    struct bytes name = bytes_of_text(told->name);
    struct method *method = method_find(registry, owner, name);
    if (method == NULL)
        method = method_new(registry, service, name);
    if (method == NULL)
        return false;
    method_ref(method);
    if (!method_number(method) || !export_reserve(export, method->index) ||
        !method_add_provider(method, export, told)) {
        method_unref(registry, method);
        return false;
    }
    assert(export->offers != NULL);
    export->offers[method->index / 64] |= UINT64_C(1) << (method->index % 64);
    export->methods[position] = method;
    return true;
}

/* The rule's word, else that of the first registration which says one. */
static void service_settle_balance(struct service *service)
{
    service->balance = service->rule != NULL ? service->rule->balance : BALANCE_UNSET;
    LIST_EACH(node, &service->exports) {
        if (service->balance != BALANCE_UNSET)
            return;
        service->balance = CONTAINER_OF(node, struct export, of_service)->registration.balance;
    }
}

void export_drain(struct export *export, bool drain)
{
    if (export->draining == drain)
        return;
    export->draining = drain;
    for (size_t i = 0; i < export->registration.method_count; i++) {
        struct method *method = export->methods[i];
        method_provider(method, export)->draining = drain;
        method->draining_count += drain ? 1U : -1U;
    }
}

void registry_withdraw(struct export *export)
{
    list_remove(&export->of_worker);
    list_remove(&export->of_service);
    export->worker->export_count--;
    export->worker->export_bytes -= export->bytes;
    export->service->export_count--;
    for (size_t i = 0; i < export->registration.method_count; i++) {
        if (export->methods[i] != NULL)
            method_remove_provider(export->methods[i], export);
    }
    service_settle_balance(export->service);
}

void export_destroy(struct registry *registry, struct export **export)
{
    struct export *gone = *export;
    size_t count = gone->registration.method_count;
    *export = NULL;
    if (count == 0 || gone->methods[0] == NULL) /* no method whose end would collect the service */
        service_collect(registry, gone->service);
    for (size_t i = 0; i < count && gone->methods[i] != NULL; i++)
        method_unref(registry, gone->methods[i]);
    registration_fini(&gone->registration);
    free(gone->methods);
    free(gone->offers);
    free(gone);
}

/* With a key that all brokers have, so that each sends the calls of one key to the same worker. */
static uint64_t identity_of(const struct peer *worker)
{
    static const struct siphash_key KEY = {0};
    static const uint8_t NONE[METADATA_INSTANCE_SIZE] = {0};
    if (memcmp(worker->instance, NONE, sizeof NONE) == 0)
        return siphash(&KEY, &worker->number, sizeof worker->number);
    return siphash(&KEY, worker->instance, sizeof worker->instance);
}

struct export *registry_add(struct registry *registry, struct peer *worker, struct bytes name,
                            struct registration *registration)
{
    struct export *export = calloc(1, sizeof *export);
    struct method **methods = calloc(registration->method_count, sizeof(struct method *));
    struct service *service = registry_find_service(registry, name);
    if (service == NULL)
        service = service_new(registry, name);
    if (export == NULL || methods == NULL || service == NULL) {
        free(export);
        free(methods);
        registration_fini(registration);
        if (service != NULL)
            service_collect(registry, service);
        return NULL;
    }
    export->worker = worker;
    export->service = service;
    export->registration = *registration;
    *registration = (struct registration){0};
    export->methods = methods;
    export->identity = identity_of(worker);
    export->bytes = sizeof *export + sizeof *service + registration_memory(&export->registration);
    list_append(&worker->exports, &export->of_worker);
    list_append(&service->exports, &export->of_service);
    worker->export_count++;
    worker->export_bytes += export->bytes;
    service->export_count++;
    service_settle_balance(service);
    for (size_t i = 0; i < export->registration.method_count; i++) {
        if (!export_add_method(registry, export, i)) {
            registry_withdraw(export);
            export_destroy(registry, &export);
            return NULL;
        }
    }
    return export;
}

/* Searches the shorter of the two lists the export would be in. */
struct export *registry_find_export(const struct peer *worker, const struct service *service)
{
    if (service->export_count < worker->export_count) {
        LIST_EACH(node, (struct list *)(uintptr_t)&service->exports) {
            struct export *export = CONTAINER_OF(node, struct export, of_service);
            if (export->worker == worker)
                return export;
        }
        return NULL;
    }
    LIST_EACH(node, (struct list *)(uintptr_t)&worker->exports) {
        struct export *export = CONTAINER_OF(node, struct export, of_worker);
        if (export->service == service)
            return export;
    }
    return NULL;
}
