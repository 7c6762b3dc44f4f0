/* Descriptions taken apart: every method that was ever told is kept, since others may use it yet. */
#include "objects/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "protocol/name.h"
#include "protocol/signature.h"

enum {
    METHODS_MAX = 16384, /* ever learned; further ones stay unknown */
    BUCKETS = 4096,
};

/* A method as one registration tells it; borrowed from the description. */
struct told {
    const char *name;
    const char *signature;
    const char *text;
    bool idempotent;
    size_t place; /* in the description */
};

struct told_list {
    struct told *items;
    size_t count;
};

static void told_list_fini(struct told_list *list)
{
    free(list->items);
}

void known_init(struct known *known)
{
    *known = (struct known){0};
    random_bytes(&known->key, sizeof known->key);
    pthread_mutex_init(&known->lock, NULL);
}

static void known_method_free(struct known_method *method)
{
    free(method->name);
    free(method->signature);
    free(method->text);
    free(method);
}

void known_fini(struct known *known)
{
    for (size_t i = 0; i < BUCKETS && known->buckets != NULL; i++) {
        while (known->buckets[i] != NULL) {
            struct known_method *method = known->buckets[i];
            known->buckets[i] = method->next;
            known_method_free(method);
        }
    }
    free(known->buckets);
    known->buckets = NULL;
    free(known->methods);
    known->methods = NULL;
    pthread_mutex_destroy(&known->lock);
}

static int compare_name(const void *name, const void *item)
{
    const struct known_method *const *method = item;
    return strcmp(name, (*method)->name);
}

/* With the lock held. */
static const struct known_method *find(const struct known *known, const char *method)
{
    if (known->count == 0)
        return NULL;
    const struct known_method **found = bsearch(method, known->methods, known->count,
                                                sizeof known->methods[0], compare_name);
    return found != NULL ? *found : NULL;
}

const struct known_method *known_find(struct known *known, const char *method)
{
    pthread_mutex_lock(&known->lock);
    const struct known_method *found = known->is_current ? find(known, method) : NULL;
    pthread_mutex_unlock(&known->lock);
    return found;
}

/* Reading -------------------------------------------------------------------------------------- */

static const char *text_at(const struct busbar_value *map, const char *key)
{
    const char *text = busbar_value_as_text(busbar_value_get(map, key));
    return text != NULL ? text : "";
}

/* False for what cannot be a method. */
static bool read_method(struct told *ret, const struct busbar_value *map)
{
    *ret = (struct told){
        .name = text_at(map, "name"),
        .signature = text_at(map, "signature"),
        .text = text_at(map, "text"),
        .idempotent = busbar_value_as_bool(busbar_value_get(map, "idempotent")),
    };
    return name_is_method(ret->name, strlen(ret->name));
}

static const struct busbar_value *registration_methods(const struct busbar_value *registrations,
                                                       size_t index)
{
    return busbar_value_get(busbar_value_at(registrations, index), "methods");
}

static bool read_all(struct told_list *ret, const struct busbar_value *description)
{
    const struct busbar_value *registrations = busbar_value_get(description, "registrations");
    size_t room = 0;
    if (busbar_value_type(registrations) != BUSBAR_LIST)
        return false;
    for (size_t i = 0; i < busbar_value_count(registrations); i++)
        room += busbar_value_count(registration_methods(registrations, i));
    ret->items = calloc(room + 1, sizeof ret->items[0]);
    if (ret->items == NULL)
        return false;
    for (size_t i = 0; i < busbar_value_count(registrations); i++) {
        const struct busbar_value *methods = registration_methods(registrations, i);
        for (size_t j = 0; j < busbar_value_count(methods); j++) {
            struct told *item = &ret->items[ret->count];
            bool is_method = read_method(item, busbar_value_at(methods, j));
            item->place = ret->count;
            ret->count += is_method;
        }
    }
    return true;
}

static int compare_told(const void *a, const void *b)
{
    const struct told *one = a;
    const struct told *other = b;
    int order = strcmp(one->name, other->name);
    if (order != 0)
        return order;
    return one->place < other->place ? -1 : one->place > other->place;
}

/* One for each name. */
static void merge(struct told_list *list)
{
    size_t kept = 0;
    if (list->count > 0)
        qsort(list->items, list->count, sizeof list->items[0], compare_told);
    for (size_t i = 0; i < list->count; i++) {
        struct told *last = kept > 0 ? &list->items[kept - 1] : NULL;
        const struct told *item = &list->items[i];
        if (last == NULL || strcmp(last->name, item->name) != 0) {
            list->items[kept++] = *item;
            continue;
        }
        last->idempotent = last->idempotent && item->idempotent;
        if (last->signature[0] == '\0')
            last->signature = item->signature;
        if (last->text[0] == '\0')
            last->text = item->text;
    }
    list->count = kept;
}

/* Keeping -------------------------------------------------------------------------------------- */

static bool takes_raw(const char *signature)
{
    struct signature parsed;
    char reason[SIGNATURE_REASON_SIZE];
    return signature[0] != '\0' && signature_parse(&parsed, signature, reason) &&
           signature_takes_raw(&parsed);
}

static struct known_method *known_method_new(const struct told *told)
{
    struct known_method *method = calloc(1, sizeof *method);
    if (method == NULL)
        return NULL;
    method->name = strdup(told->name);
    method->signature = strdup(told->signature);
    method->text = strdup(told->text);
    method->idempotent = told->idempotent;
    method->takes_raw = takes_raw(told->signature);
    if (method->name == NULL || method->signature == NULL || method->text == NULL) {
        known_method_free(method);
        return NULL;
    }
    return method;
}

static bool is_same(const struct known_method *method, const struct told *told)
{
    return method->idempotent == told->idempotent && strcmp(method->name, told->name) == 0 &&
           strcmp(method->signature, told->signature) == 0 && strcmp(method->text, told->text) == 0;
}

/* With the lock held: the same one as ever, or a new one; NULL if there can be none. Whoever exports
 * the service chooses the names, and how many there are. */
static const struct known_method *keep(struct known *known, const struct told *told)
{
    uint64_t hash = siphash(&known->key, told->name, strlen(told->name));
    struct known_method **bucket = &known->buckets[hash % BUCKETS];
    for (const struct known_method *method = *bucket; method != NULL; method = method->next) {
        if (is_same(method, told))
            return method;
    }
    struct known_method *method = known->all_count < METHODS_MAX ? known_method_new(told) : NULL;
    if (method == NULL)
        return NULL;
    method->next = *bucket;
    *bucket = method;
    known->all_count++;
    return method;
}

/* With the lock held. */
static bool replace(struct known *known, const struct told_list *list)
{
    const struct known_method **methods = calloc(list->count + 1, sizeof(*methods));
    size_t count = 0;
    if (known->buckets == NULL)
        known->buckets = calloc(BUCKETS, sizeof(*known->buckets));
    if (methods == NULL || known->buckets == NULL) {
        free(methods);
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        methods[count] = keep(known, &list->items[i]);
        count += methods[count] != NULL;
    }
    free(known->methods);
    known->methods = methods;
    known->count = count;
    known->is_current = true;
    return true;
}

bool known_learn(struct known *known, const struct busbar_value *description)
{
    CLEANUP(told_list_fini) struct told_list list = {0};
    if (!read_all(&list, description))
        return false;
    merge(&list);
    pthread_mutex_lock(&known->lock);
    bool replaced = replace(known, &list);
    pthread_mutex_unlock(&known->lock);
    return replaced;
}

void known_doubt(struct known *known)
{
    pthread_mutex_lock(&known->lock);
    known->is_current = false;
    pthread_mutex_unlock(&known->lock);
}

const struct known_method *known_at(struct known *known, size_t index)
{
    pthread_mutex_lock(&known->lock);
    const struct known_method *method = index < known->count ? known->methods[index] : NULL;
    pthread_mutex_unlock(&known->lock);
    return method;
}
