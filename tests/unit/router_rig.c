/* The sink that remembers. */
#include "tests/unit/router_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct router_limits STANDARD = {.body_limit = 1024,
                                              .queue_calls = 100,
                                              .queue_bytes = 100000,
                                              .retained_bytes = 100000,
                                              .attempts = 3};

struct rig rig;
struct router_limits rig_limits = {.body_limit = 1024,
                                   .queue_calls = 100,
                                   .queue_bytes = 100000,
                                   .retained_bytes = 100000,
                                   .attempts = 3};
struct peer client;
struct peer other;
struct peer worker;
struct peer second;

const char *const GREETER[] = {"hello", "!again", NULL};

static void rig_send(void *context, struct peer *to, const struct packet *packet,
                     struct blob *attached)
{
    (void)context;
    assert_ptr_not_equal(to, &rig.router.house);
    assert_int_equal(attached != NULL, (packet->flags & PACKET_ATTACHED) != 0);
    assert_true(packet_size(packet) <= BUNDLE_SIZE_MAX - BUNDLE_HEADER_SIZE);
    assert_true(rig.sent_count < RIG_SENT_MAX);
    struct sent *sent = &rig.sent[rig.sent_count++];
    size_t size = packet->body.size < RIG_BODY_MAX - 1 ? packet->body.size : RIG_BODY_MAX - 1;
    sent->to = to;
    sent->packet = *packet;
    if (size > 0)
        memcpy(sent->body, packet->body.data, size);
    sent->body[size] = '\0';
    if (packet->metadata.size > 0 && packet->metadata.size <= RIG_METADATA_MAX)
        memcpy(sent->metadata, packet->metadata.data, packet->metadata.size);
    sent->packet.metadata.data = sent->metadata;
}

static void rig_init(void)
{
    struct router_sink sink = {.context = &rig, .send = rig_send};
    memset(&rig, 0, sizeof rig);
    rig.now = 1000;
    assert_true(router_init(&rig.router, &rig_limits, &sink, rig.now));
    rig.router.counters = &rig.counters;
}

static void rig_fini(void)
{
    assert_int_equal(rig.router.calls.count, 0);
    assert_int_equal(rig.router.registry.services.count, 0);
    assert_int_equal(rig.router.registry.methods.count, 0);
    router_fini(&rig.router);
}

int scene_setup(void **state)
{
    (void)state;
    rig_init();
    assert_true(router_peer_init(&rig.router, &client));
    assert_true(router_peer_init(&rig.router, &other));
    assert_true(router_peer_init(&rig.router, &worker));
    assert_true(router_peer_init(&rig.router, &second));
    return 0;
}

int scene_teardown(void **state)
{
    struct peer *peers[] = {&client, &other, &worker, &second};
    (void)state;
    router_check(&rig.router);
    for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
        router_check_peer(&rig.router, peers[i]);
        router_peer_fini(&rig.router, peers[i], rig.now);
    }
    rig_fini();
    rig_limits = STANDARD;
    return 0;
}

enum busbar_status rig_export(struct peer *exporter, const char *service,
                              const char *const *methods)
{
    struct registration registration = {.version = strdup("1"),
                                        .weight = rig.words.weight,
                                        .balance = rig.words.balance,
                                        .caller = rig.words.caller,
                                        .whole = rig.words.whole};
    const char *reason;
    size_t count = 0;
    while (methods[count] != NULL)
        count++;
    assert_true(count > 0);
    registration.methods = calloc(count + 1, sizeof *registration.methods);
    registration.method_count = count;
    for (size_t i = 0; i < count; i++) {
        registration.methods[i].idempotent = methods[i][0] == '!';
        registration.methods[i].name = strdup(methods[i] + (methods[i][0] == '!'));
        registration.methods[i].signature = strdup("");
        registration.methods[i].text = strdup("");
        registration.methods[i].stall = rig.stall;
    }
    enum busbar_status status = router_register(&rig.router, exporter, bytes_of_text(service),
                                                &registration, &reason);
    if (status == BUSBAR_OK)
        router_serve(&rig.router, exporter, rig.now);
    return status;
}

void rig_call_with(struct peer *caller, const struct packet *packet)
{
    router_call(&rig.router, caller, packet, NULL, rig.now);
}

struct packet rig_request(uint64_t id, const char *service, const char *method)
{
    return (struct packet){.command = PACKET_CALL,
                           .id = id,
                           .timeout = RIG_TIMEOUT_MS,
                           .service = bytes_of_text(service),
                           .method = bytes_of_text(method),
                           .body = bytes_of_text("request")};
}

enum busbar_status rig_export_whole(struct peer *exporter, const char *service)
{
    static const char *const WHOLE[] = {"!", NULL};
    rig.words.whole = true;
    enum busbar_status status = rig_export(exporter, service, WHOLE);
    rig.words.whole = false;
    return status;
}

void rig_call(struct peer *caller, uint64_t id, const char *service, const char *method)
{
    struct packet packet = rig_request(id, service, method);
    rig_call_with(caller, &packet);
}

void rig_error(struct peer *exporter, uint64_t id, enum busbar_status status)
{
    struct packet packet = {.command = PACKET_ERROR,
                            .id = id,
                            .status = (uint8_t)status,
                            .fate = BUSBAR_NOT_EXECUTED,
                            .body = bytes_of_text("why")};
    router_reply(&rig.router, exporter, &packet, NULL, rig.now);
}

void rig_return(struct peer *exporter, const struct sent *call)
{
    struct packet packet = call->packet;
    char body[RIG_BODY_MAX];
    memcpy(body, call->body, sizeof body);
    packet.command = PACKET_RETURN;
    packet.flags = 0;
    packet.body = bytes_of_text(body);
    router_return(&rig.router, exporter, &packet, NULL, rig.now);
}

void rig_lose(struct peer *peer)
{
    router_peer_fini(&rig.router, peer, rig.now);
    assert_true(router_peer_init(&rig.router, peer));
}

void rig_pass(uint64_t ms)
{
    rig.now += ms;
    router_expire(&rig.router, rig.now);
}

void rig_call_waiting(struct peer *caller, struct packet packet, uint32_t ms)
{
    uint8_t room[16];
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    metadata_put_number(&writer, METADATA_WAIT, 4, ms);
    packet.metadata = metadata_written(&writer);
    rig_call_with(caller, &packet);
}

void rig_reply(struct peer *exporter, uint64_t id, const char *body)
{
    struct packet packet = {.command = PACKET_REPLY, .id = id, .body = bytes_of_text(body)};
    router_reply(&rig.router, exporter, &packet, NULL, rig.now);
}

const struct sent *rig_last(const struct peer *to, uint8_t command)
{
    for (size_t i = rig.sent_count; i-- > 0;) {
        if (rig.sent[i].to == to && rig.sent[i].packet.command == command)
            return &rig.sent[i];
    }
    return NULL;
}

size_t rig_count(const struct peer *to, uint8_t command)
{
    size_t count = 0;
    for (size_t i = 0; i < rig.sent_count; i++)
        count += rig.sent[i].to == to && rig.sent[i].packet.command == command;
    return count;
}

void rig_forget(void)
{
    rig.sent_count = 0;
}

void rig_expect_error(const struct peer *to, enum busbar_status status, enum busbar_fate fate)
{
    const struct sent *error = rig_last(to, PACKET_ERROR);
    assert_non_null(error);
    assert_string_equal(busbar_status_name(error->packet.status), busbar_status_name(status));
    assert_int_equal(error->packet.fate, fate);
}
