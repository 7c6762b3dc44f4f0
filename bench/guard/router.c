/*
 * The router core: a call comes in, goes to a worker, and its reply back, with as many others under
 * way. Counted are router_call, router_reply and router_expire; the sink takes the id that the call
 * has for its worker and no more. Sessions, bundles and sockets are not of this.
 */
#include "broker/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/guard/guard.h"

enum {
    TURN = 64, /* calls between two looks at the clock, which goes on by 1 ms */
    TIMEOUT_MS = 5000,
    SERVICES_MAX = 10000,
    NAME_SIZE = 24,
};

/* Service and method as they stand in a packet: one after the other. */
struct names {
    char text[NAME_SIZE];
    struct bytes service;
    struct bytes method;
};

static struct router router;
static struct counters counters;
static struct peer client;
static struct peer worker;
static struct packet request;
static struct names names[SERVICES_MAX];
static unsigned services;
static uint8_t wishes[METADATA_ENTRY_HEADER + 4];
static uint64_t now = 1000;
static uint64_t calls;
static uint64_t answers;

static void sink_send(void *context, struct peer *to, const struct packet *packet,
                      struct blob *attached)
{
    (void)context;
    (void)attached;
    if (to == &worker && packet->command == PACKET_CALL)
        guard_asked(packet->id);
    else if (to == &client && packet->command == PACKET_REPLY)
        answers++;
}

static COUNTED void counted_call(void)
{
    router_call(&router, &client, &request, NULL, now);
}

static COUNTED void counted_reply(const struct packet *reply)
{
    router_reply(&router, &worker, reply, NULL, now);
}

static COUNTED void counted_expire(void)
{
    router_expire(&router, now);
}

static void call(void)
{
    const struct names *called = &names[calls % services];
    request.id = ++calls;
    request.service = called->service;
    request.method = called->method;
    counted_call();
}

static void answer(void)
{
    const struct packet reply = {
        .command = PACKET_REPLY, .id = guard_oldest(), .body = {guard_body, GUARD_BODY_SIZE}};
    counted_reply(&reply);
}

static void make_names(struct names *made, unsigned number, const char *method)
{
    int size = snprintf(made->text, sizeof made->text, "service.%u", number);
    made->service = (struct bytes){.data = (const uint8_t *)made->text, .size = (size_t)size};
    strcpy(made->text + size, method);
    made->method = bytes_of_text(made->text + size);
}

static void serve(struct bytes service, const char *method, bool whole)
{
    struct registration registration = {.version = strdup(""), .whole = whole, .method_count = 1};
    const char *reason;
    registration.methods = calloc(2, sizeof *registration.methods);
    guard_expect(registration.methods != NULL, "there is memory");
    registration.methods[0] = (struct registration_method){
        .name = strdup(method), .signature = strdup(""), .text = strdup(""), .idempotent = whole};
    enum busbar_status status = router_register(&router, &worker, service, &registration, &reason);
    guard_expect(status == BUSBAR_OK, "the worker is registered");
    router_serve(&router, &worker, now);
}

/* As a broker does it that nothing was set of. */
static void make_router(void)
{
    static const struct router_limits limits = {
        .body_limit = 16 << 20,
        .queue_calls = 100000,
        .queue_bytes = 256 << 20,
        .client_calls = 1000000,
        .retained_bytes = 64 << 20,
        .waiting_calls = 10000,
        .attempts = 3,
        .retry_percent = 10,
        .retry_reserve = 1000,
        .hops = 32,
    };
    const struct router_sink sink = {.send = sink_send};
    guard_expect(router_init(&router, &limits, &sink, now), "there is memory");
    router.counters = &counters;
    router.random = 1;
    router.registry.key = (struct siphash_key){1, 2}; /* the names share no place, in any run */
    guard_expect(router_peer_init(&router, &client), "there is memory");
    guard_expect(router_peer_init(&router, &worker), "there is memory");
}

static void begin(const struct path *path)
{
    const char *method = path->whole ? "" : "run";
    make_router();
    client.calls_whole = path->whole;
    request = (struct packet){.command = PACKET_CALL,
                              .flags = path->flags,
                              .timeout = TIMEOUT_MS,
                              .body = {guard_body, GUARD_BODY_SIZE}};
    if (path->whole) {
        struct metadata_writer writer = {.data = wishes, .capacity = sizeof wishes};
        metadata_put_number(&writer, METADATA_WAIT, 4, TIMEOUT_MS);
        request.metadata = metadata_written(&writer);
    }
    services = path->services > 0 ? path->services : 1;
    for (unsigned i = 0; i < services; i++) {
        make_names(&names[i], i, method);
        serve(names[i].service, method, path->whole);
    }
    router_credit(&router, &worker, path->credit, now);
    for (unsigned i = 0; i < path->outstanding; i++)
        call();
    unsigned running = path->credit < path->outstanding ? path->credit : path->outstanding;
    guard_expect(guard_unanswered() == running, "the worker has what its credit allows");
}

static void round_of_calls(void)
{
    for (unsigned i = 0; i < TURN; i++) {
        answer();
        call();
    }
    now++;
    counted_expire();
}

static void end(void)
{
    while (guard_unanswered() > 0)
        answer();
    guard_expect(answers == calls, "each call has its reply");
    router_peer_fini(&router, &worker, now);
    router_peer_fini(&router, &client, now);
    router_fini(&router);
}

#define PATH .calls = TURN, .begin = begin, .round = round_of_calls, .end = end
#define MANY .outstanding = GUARD_OUTSTANDING

/* A worker of Majordomo takes one call at a time, and any of its calls may go to another one. */
const struct path paths[] = {
    {.name = "router/call", PATH, MANY, .credit = 10000},
    {.name = "router/services", PATH, MANY, .credit = 10000, .services = SERVICES_MAX},
    {.name = "router/idempotent", PATH, MANY, .credit = 10000, .flags = PACKET_IDEMPOTENT},
    {.name = "router/queued", PATH, MANY, .credit = 1},
    {.name = "router/majordomo", PATH, MANY, .credit = 1, .whole = true},
    {0},
};
