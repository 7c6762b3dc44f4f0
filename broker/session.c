/* Sessions opened and ended, their outboxes flushed, their silence noticed. */
#include "broker/session.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "broker/core.h"

enum {
    FDS_MIN = 64,
};

bool sessions_init(struct sessions *sessions)
{
    *sessions = (struct sessions){0};
    random_bytes(&sessions->key, sizeof sessions->key);
    return map_init(&sessions->by_id) && map_init(&sessions->by_token);
}

void sessions_fini(struct sessions *sessions)
{
    if (sessions->by_id.buckets != NULL)
        map_fini(&sessions->by_id);
    if (sessions->by_token.buckets != NULL)
        map_fini(&sessions->by_token);
    free(sessions->by_fd);
    *sessions = (struct sessions){0};
}

struct session *session_find(const struct sessions *sessions, const struct routing_id *id)
{
    uint64_t hash = siphash(&sessions->key, id->bytes, id->size);
    for (struct map_node *node = map_first(&sessions->by_id, hash); node != NULL;
         node = map_next(node)) {
        struct session *session = CONTAINER_OF(node, struct session, by_id);
        if (session->id.size == id->size && memcmp(session->id.bytes, id->bytes, id->size) == 0)
            return session;
    }
    return NULL;
}

struct session *session_find_token(const struct sessions *sessions, uint64_t token)
{
    struct map_node *node = map_first(&sessions->by_token, token);
    return node == NULL ? NULL : CONTAINER_OF(node, struct session, by_token);
}

struct session *session_find_fd(const struct sessions *sessions, int fd)
{
    return fd >= 0 && (size_t)fd < sessions->by_fd_size ? sessions->by_fd[fd] : NULL;
}

static bool sessions_record_fd(struct sessions *sessions, int fd, struct session *session)
{
    if (fd < 0)
        return true;
    if ((size_t)fd >= sessions->by_fd_size) {
        size_t size = sessions->by_fd_size == 0 ? FDS_MIN : sessions->by_fd_size;
        while (size <= (size_t)fd)
            size *= 2;
        struct session **by_fd = realloc(sessions->by_fd, size * sizeof(struct session *));
        if (by_fd == NULL)
            return false;
        memset(by_fd + sessions->by_fd_size, 0,
               (size - sessions->by_fd_size) * sizeof(struct session *));
        sessions->by_fd = by_fd;
        sessions->by_fd_size = size;
    }
    sessions->by_fd[fd] = session;
    return true;
}

static uint64_t sessions_token(const struct sessions *sessions)
{
    uint64_t token;
    do
        token = random_u64();
    while (session_find_token(sessions, token) != NULL);
    return token;
}

static struct session *session_new(struct broker *broker, const struct dialect *dialect,
                                   const struct routing_id *id)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    if (!router_peer_init(&broker->router, &session->peer)) {
        free(session);
        return NULL;
    }
    session->dialect = dialect;
    session->id = *id;
    session->fd = -1;
    session->token = sessions_token(&broker->sessions);
    session->last_seen = broker->now;
    list_init(&session->flush);
    list_init(&session->doomed);
    list_init(&session->broken);
    map_insert(&broker->sessions.by_id, &session->by_id,
               siphash(&broker->sessions.key, id->bytes, id->size));
    map_insert(&broker->sessions.by_token, &session->by_token, session->token);
    return session;
}

enum outbox_result session_push(struct broker *broker, struct session *session)
{
    broker->socket_is_dry = false; /* a send may take in what its descriptor would have told */
    return session->dialect->flush(broker, session);
}

bool sessions_are_full(const struct broker *broker)
{
    return broker->sessions.by_id.count >= broker->settings.session_limit;
}

/* Of two connections that had the same descriptor: libzmq numbers them as they come. */
static bool is_later(const struct routing_id *a, const struct routing_id *b)
{
    uint32_t numbers[2];
    if (a->size != 5 || b->size != 5 || a->bytes[0] != 0 || b->bytes[0] != 0)
        return false; /* ids that peers chose themselves tell nothing */
    memcpy(&numbers[0], a->bytes + 1, sizeof numbers[0]);
    memcpy(&numbers[1], b->bytes + 1, sizeof numbers[1]);
    return (int32_t)(ntohl(numbers[0]) - ntohl(numbers[1])) > 0;
}

struct session *session_open(struct broker *broker, const struct dialect *dialect,
                             const struct hello *hello)
{
    struct message *message = &broker->message;
    int fd = message_fd(message);
    socket_watch(broker); /* ends a dead peer's session before its descriptor names this one */
    if (sessions_are_full(broker)) {
        broker->counters.sessions_refused++;
        return NULL;
    }
    struct session *other = session_find_fd(&broker->sessions, fd);
    if (other != NULL && !is_later(&message->from, &other->id))
        return NULL; /* a dead peer's last words: its descriptor is another's by now */
    if (other != NULL)
        session_break(broker, other);
    struct session *session = session_new(broker, dialect, &message->from);
    if (session == NULL)
        return NULL;
    if (dialect->begin(broker, session, hello) &&
        sessions_record_fd(&broker->sessions, fd, session)) {
        session->fd = fd;
        broker->counters.sessions_opened++;
        broker_log(broker, BROKER_LOG_DEBUG, "session_opened", "peer=%llu fd=%d dialect=%s",
                   (unsigned long long)session->peer.number, fd, dialect->name);
        message->session = session;
        if (fd >= 0 && !intake_is_open(&broker->intake, fd))
            session_break(broker, session); /* gone already: no event would end it */
        return session;
    }
    session_end(broker, session, "it was gone before it was welcomed");
    return NULL;
}

/* A worker with the services it had, and how many calls; what never left was given back before. */
static void log_end(struct broker *broker, const struct session *session, const char *reason)
{
    const struct peer *peer = &session->peer;
    if (!peer_is_worker(peer))
        broker_log(broker, BROKER_LOG_DEBUG, "session_ended", "peer=%llu reason=\"%s\"",
                   (unsigned long long)peer->number, reason);
    LIST_EACH(node, (struct list *)(uintptr_t)&peer->exports) {
        const struct export *export = CONTAINER_OF(node, struct export, of_worker);
        broker_log(broker, BROKER_LOG_INFO, "worker_left",
                   "service=%s peer=%llu running=%u reason=\"%s\"", export->service->name,
                   (unsigned long long)peer->number, peer->load, reason);
    }
}

void session_end(struct broker *broker, struct session *session, const char *reason)
{
    session->doom = reason; /* nothing more is put for it */
    session->peer.leaving = true;
    session->dialect->give_back(broker, session);
    log_end(broker, session, reason);
    router_peer_fini(&broker->router, &session->peer, broker->now);
    list_remove(&session->flush);
    list_remove(&session->doomed);
    list_remove(&session->broken);
    map_remove(&broker->sessions.by_id, &session->by_id);
    map_remove(&broker->sessions.by_token, &session->by_token);
    if (session->fd >= 0)
        broker->sessions.by_fd[session->fd] = NULL;
    if (broker->message.session == session)
        broker->message.session = NULL;
    session->dialect->end(session);
    free(session);
}

void session_doom(struct broker *broker, struct session *session, const char *reason)
{
    if (session->doom != NULL)
        return;
    session->doom = reason;
    session->peer.leaving = true; /* or it would be given calls that nobody sends */
    list_append(&broker->doomed, &session->doomed);
}

void sessions_reap(struct broker *broker)
{
    struct list *node;
    while ((node = list_first(&broker->doomed)) != NULL) {
        struct session *session = CONTAINER_OF(node, struct session, doomed);
        session_end(broker, session, session->doom);
    }
}

/* The news of the break overtakes the messages: a worker that answered, said BYE and closed must not
 * be taken for one that was lost. The descriptor may be another's from now on. */
void session_break(struct broker *broker, struct session *session)
{
    session->peer.leaving = true;
    if (session->fd >= 0)
        broker->sessions.by_fd[session->fd] = NULL;
    session->fd = -1;
    if (!list_is_empty(&session->broken))
        return;
    if (list_is_empty(&broker->broken))
        broker->broken_since = broker->now;
    list_append(&broker->broken, &session->broken);
}

void sessions_end_broken(struct broker *broker)
{
    struct list *node;
    while ((node = list_first(&broker->broken)) != NULL) {
        broker->counters.sessions_lost++;
        session_end(broker, CONTAINER_OF(node, struct session, broken), "its connection broke");
    }
}

void sessions_settle(struct broker *broker)
{
    uint64_t until = broker->started + broker->settings.settle;
    if (broker->now >= until || broker->router.settle_until == until)
        return;
    broker_log(broker, BROKER_LOG_INFO, "broker_settling", "ms=%llu",
               (unsigned long long)(until - broker->now));
    router_settle(&broker->router, until);
}

uint64_t session_full_mark(const struct broker_settings *settings)
{
    uint64_t half = settings->outbox_bytes / 2;
    uint64_t body = settings->outbox_bytes - settings->body_limit - BUNDLE_SIZE_MAX;
    return half < body ? half : body;
}

/* With half of what may be due to it, a peer is not sent what it can do without. */
__attribute__((cold)) static void session_weigh_full(const struct broker *broker,
                                                     struct session *session, size_t due)
{
    bool full = due > broker->full_mark;
    if (due < session->due || (full && !session->peer.full))
        session->taken_at = broker->now;
    session->due = due;
    session->peer.congested = due > broker->settings.outbox_bytes / 2;
    session->peer.full = full;
    session->was_full |= full;
}

/* One that is not full is not congested either: that takes more. */
static inline void session_weigh(const struct broker *broker, struct session *session)
{
    size_t due = session->dialect->due(session);
    if (due > broker->full_mark || session->peer.full)
        session_weigh_full(broker, session, due);
    else
        session->due = due;
}

__attribute__((cold)) static void session_cut(struct broker *broker, struct session *session,
                                              const char *reason)
{
    broker->counters.sessions_cut++;
    (void)intake_cut(&broker->intake, session->fd); /* or what libzmq holds for it would stay */
    session_doom(broker, session, reason);
}

void session_send(struct broker *broker, struct session *session, const struct packet *packet,
                  struct blob *attached)
{
    if (session->doom != NULL)
        return;
    if (!session->dialect->put(broker, session, packet, attached)) {
        session_doom(broker, session, "out of memory");
        return;
    }
    session_weigh(broker, session);
    if (session->due > broker->settings.outbox_bytes) {
        session_cut(broker, session, "too much is due to it");
        return;
    }
    if (list_is_empty(&session->flush))
        list_append(&broker->touched, &session->flush);
}

/* The router may have had more for it meanwhile, so that it waits for a flush already. */
static void flush_later(struct broker *broker, struct session *session)
{
    list_remove(&session->flush);
    list_append(&broker->blocked, &session->flush);
}

static void session_flush(struct broker *broker, struct session *session)
{
    enum outbox_result result = session_push(broker, session);
    session_weigh(broker, session);
    switch (result) {
    case OUTBOX_SENT:
        if (session->peer
                .full) /* nothing tells that libzmq has got rid of it: it is looked at again */
            flush_later(broker, session);
        break;
    case OUTBOX_BLOCKED:
        broker->counters.blocked++;
        flush_later(broker, session);
        break;
    case OUTBOX_GONE:
        broker->counters.unreachable++;
        session_break(broker, session); /* its last words may be here and not taken in yet */
        break;
    }
    if (session->was_full && !session->peer.full && session->doom == NULL) {
        session->was_full = false;
        router_serve(&broker->router, &session->peer, broker->now);
    }
}

/* Flushes each session of the list once; one that blocks is put on the other list. */
static void flush_all(struct broker *broker, struct list *list)
{
    struct list due;
    if (list_is_empty(list))
        return;
    list_append(list, &due);
    list_remove(list); /* what hung on `list` hangs on `due` now */
    struct list *node;
    while ((node = list_first(&due)) != NULL) {
        list_remove(node);
        session_flush(broker, CONTAINER_OF(node, struct session, flush));
    }
}

void sessions_flush(struct broker *broker)
{
    flush_all(broker, &broker->blocked);
    flush_all(broker, &broker->touched);
}

/* A worker that is full gets no more calls, so that nothing else would end this. */
static bool session_is_stuck(const struct broker *broker, const struct session *session,
                             uint64_t bound)
{
    return session->peer.full && peer_is_worker(&session->peer) &&
           broker->now - session->taken_at > bound && session->doom == NULL;
}

void sessions_inspect(struct broker *broker)
{
    const struct broker_settings *settings = &broker->settings;
    uint64_t interval = settings->heartbeat_interval;
    uint64_t bound = interval * settings->heartbeat_liveness;
    if (settings->majordomo.heartbeat_interval < interval)
        interval = settings->majordomo.heartbeat_interval;
    uint64_t paused = broker->now - broker->last_inspection;
    bool late = paused > 2 * interval; /* it was this process that slept: nobody is to blame */
    broker->last_inspection = broker->now;
    broker->next_inspection = broker->now + (interval + 1) / 2;
    for (struct map_node *node = map_walk(&broker->sessions.by_token, NULL); node != NULL;
         node = map_walk(&broker->sessions.by_token, node)) {
        struct session *session = CONTAINER_OF(node, struct session, by_token);
        if (late && peer_is_worker(&session->peer)) {
            session->last_seen = broker->now;
            session->taken_at = broker->now;
        }
        if (session_is_stuck(broker, session, bound))
            session_cut(broker, session, "it takes nothing of what is due to it");
        else if (session->doom == NULL)
            session->dialect->inspect(broker, session);
    }
}
