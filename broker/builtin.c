/* The service `bus`: what the broker tells of itself, as ordinary calls. Its methods are a table. */
#include <busbar/value.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "broker/core.h"
#include "protocol/name.h"

/* A map under construction; remembers that memory ran out, so that it is looked at once. */
struct record {
    struct busbar_value *map;
    bool failed;
};

static void record_init(struct record *record)
{
    record->map = busbar_value_map();
    record->failed = record->map == NULL;
}

static void record_set(struct record *record, const char *key, struct busbar_value *value)
{
    if (record->failed || busbar_value_set(record->map, key, &value) != BUSBAR_OK) {
        record->failed = true;
        busbar_value_destroy(&value);
    }
}

static void record_count(struct record *record, const char *key, uint64_t count)
{
    record_set(record, key, busbar_value_uint64(count));
}

/* The map, or NULL if anything went wrong on the way. */
static struct busbar_value *record_finish(struct record *record)
{
    if (record->failed)
        busbar_value_destroy(&record->map);
    return record->map;
}

static struct busbar_value *service_methods(const struct service *service)
{
    struct busbar_value *list = busbar_value_list();
    for (size_t i = 0; i < service->offered_slots && list != NULL; i++) {
        const struct method *method = service->offered[i];
        if (method == NULL || method->provider_count == 0 || method == service->whole)
            continue;
        struct bytes name = method_name(method);
        struct busbar_value *text = busbar_value_string((const char *)name.data, name.size);
        if (busbar_value_append(list, &text) != BUSBAR_OK)
            busbar_value_destroy(&list);
    }
    return list;
}

static struct busbar_value *service_row(const struct service *service)
{
    struct record record;
    record_init(&record);
    record_set(&record, "service", busbar_value_text(service->name));
    record_count(&record, "workers", service->export_count);
    record_set(&record, "methods", service_methods(service));
    record_count(&record, "queued", service->queued);
    record_count(&record, "running", service->running);
    return record_finish(&record);
}

static int compare_services(const void *a, const void *b)
{
    return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

/* All services that have a worker, by name. */
static struct service **services_sorted(const struct broker *broker, size_t *ret_count)
{
    const struct map *map = &broker->router.registry.services;
    struct service **services = calloc(map->count + 1, sizeof(struct service *));
    size_t count = 0;
    if (services == NULL)
        return NULL;
    for (struct map_node *node = map_walk(map, NULL); node != NULL; node = map_walk(map, node)) {
        struct service *service = CONTAINER_OF(node, struct service, by_name);
        if (!list_is_empty(&service->exports))
            services[count++] = service;
    }
    qsort(services, count, sizeof(struct service *), compare_services);
    *ret_count = count;
    return services;
}

/* What a method of the bus is asked, and why it cannot answer. */
struct question {
    struct broker *broker;
    struct bytes name;                    /* the first argument of those that take a name */
    const struct busbar_value *arguments; /* the list they came in; NULL if it was a name alone */
    enum busbar_status status;
    char text[256];
};

static struct busbar_value *bus_list(struct question *question)
{
    size_t count = 0;
    CLEANUP(cleanup_free) struct service **services = services_sorted(question->broker, &count);
    struct busbar_value *list = services == NULL ? NULL : busbar_value_list();
    for (size_t i = 0; i < count && list != NULL; i++) {
        struct busbar_value *row = service_row(services[i]);
        if (busbar_value_append(list, &row) != BUSBAR_OK)
            busbar_value_destroy(&list);
    }
    return list;
}

static const struct service *question_service(struct question *question)
{
    const struct service *service = registry_find_service(&question->broker->router.registry,
                                                          question->name);
    if (service != NULL && !list_is_empty(&service->exports))
        return service;
    question->status = BUSBAR_NO_SERVICE;
    snprintf(question->text, sizeof question->text, "nobody exports the service '%.*s'",
             (int)question->name.size, (const char *)question->name.data);
    return NULL;
}

static struct busbar_value *bus_lookup(struct question *question)
{
    const struct service *service = question_service(question);
    return service == NULL ? NULL : service_row(service);
}

static struct busbar_value *export_row(const struct export *export)
{
    struct record record = {.map = registration_value(&export->registration)};
    record.failed = record.map == NULL;
    record_count(&record, "worker", export->worker->number);
    record_count(&record, "credit", export->worker->credit);
    record_count(&record, "running", export->worker->load);
    const struct dialect *dialect = session_of_peer(export->worker)->dialect;
    if (dialect != &native_dialect)
        record_set(&record, "dialect", busbar_value_text(dialect->name));
    if (export->draining)
        record_set(&record, "draining", busbar_value_bool(true));
    return record_finish(&record);
}

static struct busbar_value *bus_describe(struct question *question)
{
    const struct service *service = question_service(question);
    struct busbar_value *list = service == NULL ? NULL : busbar_value_list();
    struct record record;
    if (service == NULL)
        return NULL;
    LIST_EACH(node, (struct list *)(uintptr_t)&service->exports) {
        struct busbar_value *row = export_row(CONTAINER_OF(node, struct export, of_service));
        if (list == NULL || busbar_value_append(list, &row) != BUSBAR_OK) {
            busbar_value_destroy(&row);
            busbar_value_destroy(&list);
        }
    }
    record_init(&record);
    record_set(&record, "service", busbar_value_text(service->name));
    record_set(&record, "registrations", list);
    return record_finish(&record);
}

/* [service, number of a worker or 0, bool] */
static struct busbar_value *bus_drain(struct question *question)
{
    const struct busbar_value *worker = busbar_value_at(question->arguments, 1);
    const struct busbar_value *drain = busbar_value_at(question->arguments, 2);
    struct router_drained drained;
    struct record record;
    struct broker *broker = question->broker;
    int64_t number = busbar_value_as_int64(worker);
    if (busbar_value_count(question->arguments) != 3 || busbar_value_type(worker) != BUSBAR_INT64 ||
        number < 0 || busbar_value_type(drain) != BUSBAR_BOOL) {
        question->status = BUSBAR_BAD_REQUEST;
        snprintf(question->text, sizeof question->text,
                 "bus.drain takes a list: service, number of a worker or 0, true or false");
        return NULL;
    }
    question->status = router_drain(&broker->router, question->name, (uint64_t)number,
                                    busbar_value_as_bool(drain), &drained, broker->now);
    if (question->status != BUSBAR_OK) {
        snprintf(question->text, sizeof question->text,
                 number == 0 ? "nobody exports the service '%.*s'"
                             : "the service '%.*s' has no worker of that number",
                 (int)question->name.size, (const char *)question->name.data);
        return NULL;
    }
    if (drained.changed) /* whoever waits for the end asks again and again */
        broker_log(broker, BROKER_LOG_INFO, "service_drain", "service=%.*s worker=%lld drain=%d",
                   (int)question->name.size, (const char *)question->name.data, (long long)number,
                   busbar_value_as_bool(drain));
    question->status = BUSBAR_BUSY;
    record_init(&record);
    record_count(&record, "workers", drained.workers);
    record_count(&record, "running", drained.running);
    return record_finish(&record);
}

static struct busbar_value *bus_stats(struct question *question)
{
    const struct broker *broker = question->broker;
    struct record record;
    record_init(&record);
#define COUNTER_RECORD(name, text) record_count(&record, #name, broker->counters.name);
    COUNTER_TABLE(COUNTER_RECORD)
#undef COUNTER_RECORD
    record_count(&record, "uptime_ms", broker->now - broker->started);
    record_count(&record, "sessions", broker->sessions.by_id.count);
    record_count(&record, "services", broker->router.registry.services.count);
    record_count(&record, "calls_in_flight", broker->router.calls.count);
    return record_finish(&record);
}

static const struct {
    const char *name;
    size_t arguments; /* the first is the name of a service */
    struct busbar_value *(*answer)(struct question *question);
} METHODS[] = {
    {"list", 0, bus_list},   {"lookup", 1, bus_lookup}, {"describe", 1, bus_describe},
    {"stats", 0, bus_stats}, {"drain", 3, bus_drain},
};

static void builtin_fail(struct broker *broker, struct session *session, uint64_t id,
                         const struct question *question)
{
    session_send(broker, session,
                 &(struct packet){.command = PACKET_ERROR,
                                  .id = id,
                                  .status = (uint8_t)question->status,
                                  .fate = BUSBAR_NOT_EXECUTED,
                                  .body = bytes_of_text(question->text)},
                 NULL);
}

/* To a oneway call, whose client wants to know no more than that it was taken. */
static void builtin_accept(struct broker *broker, struct session *session, uint64_t id)
{
    session_send(broker, session,
                 &(struct packet){.command = PACKET_REPLY,
                                  .flags = PACKET_ONEWAY,
                                  .id = id,
                                  .fate = BUSBAR_MAYBE_EXECUTED},
                 NULL);
}

static bool builtin_reply(struct broker *broker, struct session *session, uint64_t id,
                          const struct busbar_value *value)
{
    CLEANUP(cleanup_free) void *data = NULL;
    CLEANUP(blob_unref) struct blob *attached = NULL;
    size_t size = 0;
    if (value == NULL || busbar_value_encode(value, &data, &size) != BUSBAR_OK)
        return false;
    struct packet packet = {.command = PACKET_REPLY,
                            .id = id,
                            .fate = BUSBAR_EXECUTED,
                            .encoding = PACKET_MESSAGEPACK,
                            .body = {.data = data, .size = size}};
    if (size > PACKET_INLINE_BODY_MAX) {
        attached = blob_copy(data, size);
        if (attached == NULL)
            return false;
        packet.flags = PACKET_ATTACHED;
    }
    session_send(broker, session, &packet, attached);
    return true;
}

/* The arguments as a MessagePack list; a single one also as a MessagePack string, or raw text. */
static bool question_read(struct question *question, const struct packet *packet,
                          struct busbar_value **keep, size_t arguments)
{
    const char *text = (const char *)packet->body.data;
    size_t size = packet->body.size;
    bool is_whole = arguments == 1;
    if (packet->encoding == PACKET_MESSAGEPACK) {
        if (busbar_value_decode(keep, packet->body.data, packet->body.size, NULL) != BUSBAR_OK)
            return false;
        const struct busbar_value *value = *keep;
        if (busbar_value_type(value) == BUSBAR_LIST) {
            question->arguments = value;
            is_whole = busbar_value_count(value) == arguments;
            value = busbar_value_at(value, 0);
        }
        if (busbar_value_type(value) != BUSBAR_STRING)
            return false;
        text = busbar_value_data(value, &size);
    }
    question->name = (struct bytes){.data = (const uint8_t *)text, .size = size};
    return is_whole && name_is_majordomo(text, size);
}

static void builtin_answer(struct question *question, struct session *session,
                           const struct packet *packet, size_t at)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *argument = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *answer = NULL;
    size_t arguments = METHODS[at].arguments;
    if (arguments > 0 && !question_read(question, packet, &argument, arguments)) {
        question->status = BUSBAR_BAD_REQUEST;
        snprintf(question->text, sizeof question->text, "bus.%s takes the name of a service%s",
                 METHODS[at].name,
                 arguments == 1 ? "" : ", the number of a worker or 0, and true or false");
        builtin_fail(question->broker, session, packet->id, question);
        return;
    }
    answer = METHODS[at].answer(question);
    if (answer != NULL && packet->flags & PACKET_ONEWAY)
        builtin_accept(question->broker, session, packet->id);
    else if (!builtin_reply(question->broker, session, packet->id, answer))
        builtin_fail(question->broker, session, packet->id, question);
}

void builtin_call(struct broker *broker, struct session *session, const struct packet *packet)
{
    struct question question = {
        .broker = broker, .status = BUSBAR_BUSY, .text = "the broker is out of memory"};
    broker->counters.bus_calls++;
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++) {
        if (strlen(METHODS[i].name) == packet->method.size &&
            memcmp(METHODS[i].name, packet->method.data, packet->method.size) == 0) {
            builtin_answer(&question, session, packet, i);
            return;
        }
    }
    question.status = BUSBAR_BAD_REQUEST;
    snprintf(question.text, sizeof question.text, "the name of the method is outside the grammar");
    if (name_is_method((const char *)packet->method.data, packet->method.size)) {
        question.status = BUSBAR_NO_METHOD;
        snprintf(question.text, sizeof question.text, "the service 'bus' has no method '%.*s'",
                 (int)packet->method.size, (const char *)packet->method.data);
    }
    builtin_fail(broker, session, packet->id, &question);
}
