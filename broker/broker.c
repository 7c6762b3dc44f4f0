/* The loop around the router: time, input, output, sleep; and how it drains. */
#include "broker/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/random.h"
#include "broker/core.h"

enum {
    TURN_MESSAGES = 256, /* taken in before what they caused is sent */
    TURN_PACKETS = 1024,
    QUIET_MS = 200,      /* without a call, after which a broker that drains may end */
    GOODBYE_MS = 1000,   /* how long the last messages may take to leave */
    DRAIN_WAIT_MS = 10,  /* between two looks whether a broker has drained */
    BLOCKED_WAIT_MS = 2, /* when an outbox is blocked; libzmq mostly wakes the loop before */
    BROKEN_MS = 30,      /* how long messages of a broken connection are waited for under load */
    FDS_RESERVED = 64,   /* descriptors that are not peers' */
};

void broker_log(struct broker *broker, enum broker_log_level level, const char *event,
                const char *fields, ...)
{
    char text[512];
    va_list arguments;
    if (broker->hooks.log == NULL)
        return;
    va_start(arguments, fields);
    vsnprintf(text, sizeof text, fields, arguments);
    va_end(arguments);
    broker->hooks.log(broker->hooks.context, level, event, text);
}

static void broker_sink(void *context, struct peer *to, const struct packet *packet,
                        struct blob *attached)
{
    session_send(context, session_of_peer(to), packet, attached);
}

/* Past it connections are refused: without a free descriptor libzmq would spin on accept. */
static uint32_t descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * FDS_RESERVED)
        return FDS_RESERVED;
    return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur - FDS_RESERVED;
}

static bool broker_init_state(struct broker *broker)
{
    const struct broker_settings *settings = &broker->settings;
    struct router_limits limits = {
        .body_limit = settings->body_limit,
        .queue_calls = settings->queue_calls,
        .queue_bytes = settings->queue_bytes,
        .queue_age = settings->queue_age,
        .client_calls = settings->client_calls,
        .retained_bytes = settings->retained_bytes,
        .waiting_calls = settings->waiting_calls,
        .attempts = settings->attempts,
        .retry_percent = settings->retry_budget,
        .retry_reserve = settings->retry_reserve,
        .hops = settings->hops,
        .rules = settings->rules,
        .rule_count = settings->rule_count,
    };
    struct router_sink sink = {.context = broker, .send = broker_sink};
    broker->now = clock_ms();
    broker->started = broker->now;
    broker->last_inspection = broker->now;
    broker->epoch = random_u64();
    broker->full_mark = session_full_mark(settings);
    list_init(&broker->touched);
    list_init(&broker->blocked);
    list_init(&broker->doomed);
    list_init(&broker->broken);
    broker->pool = bundle_pool_new();
    if (broker->pool == NULL || !sessions_init(&broker->sessions) ||
        !router_init(&broker->router, &limits, &sink, broker->now))
        return false;
    broker->router.counters = &broker->counters;
    outbox_init(&broker->stray, broker->pool);
    intake_init(&broker->intake, settings->body_limit, descriptor_limit());
    return true;
}

static enum busbar_status broker_open(struct broker *broker, char *error, size_t error_size)
{
    broker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    broker->context = broker->hooks.zmq_context;
    heap_keep();
    if (broker->context == NULL)
        broker->context = broker->own_context = zmq_ctx_new();
    if (broker->wake < 0 || broker->context == NULL) {
        snprintf(error, error_size, "cannot start: %s", strerror(errno));
        return BUSBAR_SYSTEM;
    }
    return socket_open(broker, error, error_size);
}

enum busbar_status broker_new(struct broker **ret, const struct broker_settings *settings,
                              const struct broker_hooks *hooks, char *error, size_t error_size)
{
    CLEANUP(broker_destroy) struct broker *broker = calloc(1, sizeof *broker);
    snprintf(error, error_size, "out of memory");
    if (broker == NULL)
        return BUSBAR_NO_MEMORY;
    broker->wake = -1;
    broker->settings = *settings;
    if (hooks != NULL)
        broker->hooks = *hooks;
    if (broker->settings.session_limit == 0)
        broker->settings.session_limit = descriptor_limit();
    if (!broker_init_state(broker))
        return BUSBAR_NO_MEMORY;
    broker->ready = true;
    enum busbar_status status = broker_open(broker, error, error_size);
    if (status == BUSBAR_OK)
        *ret = STEAL(broker);
    return status;
}

size_t broker_endpoint_count(const struct broker *broker)
{
    return broker->bound_count;
}

const char *broker_endpoint(const struct broker *broker, size_t index)
{
    return broker->bound[index].endpoint;
}

static void broker_take(struct broker *broker)
{
    if (message_refuse_flood(broker))
        return;
    const struct dialect *dialect = dialect_of_message(broker);
    if (dialect != NULL) {
        dialect->receive(broker, dialect);
        return;
    }
    message_account(broker, &broker->message);
    message_malformed(broker, "none", "it begins with the frames of no dialect");
}

/*
 * Takes in what is there, bounded, so that what it caused is sent before more is taken in. While
 * messages come one at a time, each is passed on before the next is looked for: the look that then
 * finds nothing comes after the last send, and none more is needed before sleeping.
 */
static bool broker_receive(struct broker *broker)
{
    uint64_t packets = broker->packets;
    unsigned limit = broker->is_calm && broker->since_dry == 0 ? 1 : TURN_MESSAGES;
    for (unsigned i = 0; i < limit && broker->packets - packets < TURN_PACKETS; i++) {
        if (!broker->has_message && !socket_receive(broker)) {
            broker->is_calm = broker->since_dry <= 1;
            broker->since_dry = 0;
            broker->socket_is_dry = true;
            return false;
        }
        broker->has_message = false;
        broker->since_dry++;
        broker_take(broker);
        message_close(&broker->message);
        sessions_reap(broker);
    }
    broker->monitor_is_dry = broker->is_calm; /* a busy loop does not sleep: it looks each turn */
    return true;
}

static bool has_input(void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

static int broker_timeout(const struct broker *broker)
{
    uint64_t wait = router_wait(&broker->router, broker->now);
    uint64_t inspection = broker->next_inspection < broker->intake.next_check
                              ? broker->next_inspection
                              : broker->intake.next_check;
    inspection = inspection > broker->now ? inspection - broker->now : 0;
    if (inspection < wait)
        wait = inspection;
    if (!list_is_empty(&broker->broken)) /* found by a send, after the look for input */
        return 0;
    if (!list_is_empty(&broker->blocked) && wait > BLOCKED_WAIT_MS)
        wait = BLOCKED_WAIT_MS;
    if (broker->router.draining && wait > DRAIN_WAIT_MS)
        wait = DRAIN_WAIT_MS;
    return (int)wait;
}

/* Was broker_stop called? */
static void broker_hear(struct broker *broker)
{
    uint64_t told;
    if (read(broker->wake, &told, sizeof told) == sizeof told)
        broker->stopping = true;
}

/*
 * Sleeps until there is something to do. Under traffic that is a message soon, and nothing else is
 * heard for a moment. Then all is, by libzmq's descriptors: they tell of changes, not of states, and
 * a send or a receive may take a change in, so the states are asked before.
 */
static void broker_wait(struct broker *broker)
{
    struct pollfd fds[] = {
        {.fd = broker->fd, .events = POLLIN},
        {.fd = broker->monitor_fd, .events = POLLIN},
        {.fd = broker->wake, .events = POLLIN},
    };
    if (broker_timeout(broker) > SOCKET_WAIT_MS && socket_wait(broker))
        return;
    if (!broker->socket_is_dry && has_input(broker->socket))
        return;
    broker->now = clock_ms();
    (void)poll(fds, ARRAY_SIZE(fds), broker_timeout(broker));
    broker->looked = clock_ms();
    broker->monitor_is_dry = fds[1].revents == 0;
    if (fds[2].revents != 0)
        broker_hear(broker);
}

/* What waiting for messages alone does not tell. */
static void broker_look(struct broker *broker)
{
    socket_watch(broker);
    broker_hear(broker);
    broker->looked = broker->now;
}

/* The looks that are not for every turn. */
static void broker_inspect(struct broker *broker)
{
    if (broker->now >= broker->next_inspection)
        sessions_inspect(broker);
    if (broker->now < broker->intake.next_check)
        return;
    size_t cut = intake_check(&broker->intake, broker->now);
    if (cut > 0) {
        broker->counters.connections_cut += cut;
        broker_log(broker, BROKER_LOG_WARNING, "connections_cut",
                   "count=%zu reason=\"a message without end\"", cut);
    }
}

bool broker_turn(struct broker *broker)
{
    broker->now = clock_ms();
    router_expire(&broker->router, broker->now);
    if (!broker->monitor_is_dry || broker->now >= broker->looked + SOCKET_WAIT_MS)
        broker_look(broker); /* first: no call is given to a worker that is known to be gone */
    bool more = broker_receive(broker);
    if (!list_is_empty(&broker->broken) &&
        (!more || broker->now - broker->broken_since >= BROKEN_MS))
        sessions_end_broken(broker);
    broker_inspect(broker);
    do {
        sessions_reap(broker);
        sessions_flush(broker);
    } while (!list_is_empty(&broker->doomed) || !list_is_empty(&broker->touched));
    return more;
}

/* Puts a packet without a body into every session's outbox. */
static void broker_tell_all(struct broker *broker, enum packet_command command)
{
    struct map *map = &broker->sessions.by_token;
    for (struct map_node *node = map_walk(map, NULL); node != NULL; node = map_walk(map, node))
        session_send(broker, CONTAINER_OF(node, struct session, by_token),
                     &(struct packet){.command = (uint8_t)command}, NULL);
}

/* GOAWAY comes before the refusals, so that a client which reads one knows where not to try again. */
static void broker_begin_drain(struct broker *broker)
{
    broker->router.draining = true;
    broker->stopping = false;
    broker_tell_all(broker, PACKET_GOAWAY);
    size_t refused = router_drop_waiting(&broker->router, false);
    broker_log(broker, BROKER_LOG_INFO, "broker_draining", "calls=%zu refused=%zu sessions=%zu",
               broker->router.calls.count, refused, broker->sessions.by_id.count);
}

static void broker_end_drain(struct broker *broker)
{
    int linger = GOODBYE_MS;
    size_t refused = router_drop_waiting(&broker->router, true);
    broker_log(broker, BROKER_LOG_INFO, "broker_drained", "calls=%zu refused=%zu",
               broker->router.calls.count, refused);
    broker_tell_all(broker, PACKET_BYE);
    sessions_flush(broker);
    (void)zmq_setsockopt(broker->socket, ZMQ_LINGER, &linger, sizeof linger);
}

/* Calls received so far, and when it has been quiet for long enough if it stays so. */
struct quiet {
    uint64_t calls;
    uint64_t until; /* ms */
};

/*
 * Is nothing under way any more? CALLs may have crossed the GOAWAY and be on their way still: who sent
 * them must be told DRAINING, and not find the session ended. And libzmq drops, at the other end, what
 * nobody has begun to read when a link is closed, so the last replies need time to be read. Both have
 * arrived when nothing happened for a while, or when everybody has left.
 */
static bool broker_has_drained(struct broker *broker, struct quiet *quiet)
{
    uint64_t calls = broker->counters.calls_received + broker->counters.bus_calls;
    if (calls != quiet->calls || broker->router.calls.count > 0)
        quiet->until = broker->now + QUIET_MS;
    quiet->calls = calls;
    return broker->router.calls.count == 0 &&
           (broker->now >= quiet->until || broker->sessions.by_id.count == 0);
}

static void broker_drain(struct broker *broker)
{
    struct quiet quiet = {.until = clock_ms() + QUIET_MS};
    uint64_t end = clock_ms() + broker->settings.drain;
    quiet.calls = broker->counters.calls_received + broker->counters.bus_calls;
    broker_begin_drain(broker);
    for (;;) {
        bool more = broker_turn(broker);
        if ((!more && broker_has_drained(broker, &quiet)) || clock_ms() >= end || broker->stopping)
            break;
        if (!more)
            broker_wait(broker);
    }
    broker_end_drain(broker);
}

enum busbar_status broker_run(struct broker *broker)
{
    while (!broker->stopping) {
        if (!broker_turn(broker))
            broker_wait(broker);
    }
    broker_drain(broker);
    return BUSBAR_OK;
}

void broker_stop(struct broker *broker)
{
    uint64_t one = 1;
    int reason = errno;
    ssize_t written = write(broker->wake, &one, sizeof one);
    (void)written; /* it fails only if it is full of stops already */
    errno = reason;
}

static void broker_end_sessions(struct broker *broker)
{
    struct map_node *node;
    while ((node = map_walk(&broker->sessions.by_token, NULL)) != NULL)
        session_end(broker, CONTAINER_OF(node, struct session, by_token), "the broker stops");
}

void broker_destroy(struct broker **broker)
{
    struct broker *gone = *broker;
    *broker = NULL;
    if (gone == NULL)
        return;
    if (gone->ready) {
        broker_end_sessions(gone);
        outbox_fini(&gone->stray);
        router_fini(&gone->router);
    }
    sessions_fini(&gone->sessions);
    intake_fini(&gone->intake);
    socket_close(gone);
    if (gone->own_context != NULL)
        zmq_ctx_term(gone->own_context);
    bundle_pool_destroy(&gone->pool);
    if (gone->wake >= 0)
        close(gone->wake);
    free(gone);
}
