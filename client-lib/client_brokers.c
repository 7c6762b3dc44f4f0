/*
 * Which broker new calls go to. With one broker in the list its connection is kept for ever and
 * ZeroMQ connects it anew. With several the client stays where it is, until that broker is lost or
 * drains; then it goes on along the list. A connection that is left is closed when the last call on
 * it has ended.
 */
#include "client-lib/client.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

enum {
    JITTER_MS = 50, /* before the next broker is tried; doubled with each round in vain */
    JITTER_MAX_MS = 500,
    ATTEMPT_MIN_MS = 100, /* for a broker that says nothing; doubled likewise */
    ATTEMPT_MAX_MS = 3000,
    DOUBLINGS_MAX = 4,
    BUSY_MS = 100, /* until a move is tried again for which there is no free connection */
};

static enum busbar_status uplink_make(struct uplink *uplink, const char *endpoint)
{
    struct busbar_client *client = uplink->client;
    enum busbar_status status = connection_init(&uplink->connection, endpoint, &client_handler,
                                                uplink);
    uplink->is_made = status == BUSBAR_OK;
    if (uplink->is_made && uplink != client->current) /* one instance, whatever it is told by */
        memcpy(uplink->connection.instance, client->current->connection.instance, INSTANCE_SIZE);
    return status;
}

enum busbar_status client_init_brokers(struct busbar_client *client, const char *brokers)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        client->uplinks[i].client = client;
        list_init(&client->uplinks[i].put);
    }
    client->current = &client->uplinks[0];
    client->move_at = UINT64_MAX;
    enum busbar_status status = broker_list_init(&client->brokers, brokers);
    if (status != BUSBAR_OK)
        return status;
    return uplink_make(client->current, client->brokers.endpoints[0]);
}

void client_fini_brokers(struct busbar_client *client, bool is_forked)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        struct uplink *uplink = &client->uplinks[i];
        if (uplink->is_made && !is_forked)
            connection_close(&uplink->connection, CLIENT_LINGER_MS);
        if (uplink->is_made)
            connection_fini(&uplink->connection);
    }
    broker_list_fini(&client->brokers);
}

/* Doubled for each round along the list that found no session. */
static uint64_t doubled(const struct busbar_client *client, uint64_t ms, uint64_t most)
{
    size_t rounds = client->failures / client->brokers.count;
    ms <<= rounds < DOUBLINGS_MAX ? rounds : DOUBLINGS_MAX;
    return ms < most ? ms : most;
}

static uint64_t attempt_ms(const struct busbar_client *client)
{
    uint64_t share = client->connect_timeout_ms / client->brokers.count;
    return doubled(client, share < ATTEMPT_MIN_MS ? ATTEMPT_MIN_MS : share, ATTEMPT_MAX_MS);
}

static bool has_others(const struct busbar_client *client)
{
    return client->brokers.count > 1;
}

enum busbar_status client_open(struct busbar_client *client)
{
    struct connection *connection = client_connection(client);
    if (connection->state != CONNECTION_CLOSED)
        return BUSBAR_OK;
    if (has_others(client))
        client->move_at = clock_ms() + attempt_ms(client);
    return connection_open(connection);
}

void client_miss_broker(struct busbar_client *client)
{
    if (!has_others(client))
        return;
    uint64_t at = client->now + random_u64() % (doubled(client, JITTER_MS, JITTER_MAX_MS) + 1);
    if (at < client->move_at)
        client->move_at = at;
}

void client_leave_broker(struct busbar_client *client)
{
    if (!has_others(client))
        return;
    client->is_moving = true;
    client->move_at = client->now;
}

void client_reach_broker(struct busbar_client *client)
{
    client->move_at = client->is_moving ? client->now : UINT64_MAX;
}

void client_keep_broker(struct busbar_client *client)
{
    client->failures = 0;
}

uint64_t client_move_due(const struct busbar_client *client)
{
    return client->calls.used > 0 ? client->move_at : UINT64_MAX;
}

bool client_is_drained(const struct busbar_client *client)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        const struct uplink *uplink = &client->uplinks[i];
        if (uplink->is_leaving && connection_is_open(&uplink->connection))
            return true;
    }
    return false;
}

static struct uplink *free_uplink(struct busbar_client *client)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        if (client->uplinks[i].connection.state == CONNECTION_CLOSED)
            return &client->uplinks[i];
    }
    return NULL;
}

static bool uplink_aim(struct uplink *uplink, const char *endpoint)
{
    if (!uplink->is_made)
        return uplink_make(uplink, endpoint) == BUSBAR_OK;
    return connection_aim(&uplink->connection, endpoint);
}

/* What was told by the last WELCOME holds until the next one. */
static void follow(struct busbar_client *client, struct uplink *next)
{
    next->connection.welcome = client->current->connection.welcome;
    next->is_leaving = false;
    client->current = next;
    client->is_moving = false;
    client->broker = (client->broker + 1) % client->brokers.count;
    (void)client_open(client); /* else the next turn tries it */
}

/* No connection is free for the next broker. Where the current one is there and did not ask to be left,
 * calls go on to it: what made it refuse one, such as a service that is drained, holds for that alone. */
static void stay(struct busbar_client *client, uint64_t now)
{
    const struct uplink *current = client->current;
    bool may_stay = current->connection.state == CONNECTION_UP && !current->is_leaving;
    client->is_moving = client->is_moving && !may_stay;
    client->move_at = may_stay ? UINT64_MAX : now + BUSY_MS;
}

/* A broker that was left is still there for the calls it has; of one that is gone nothing is kept. */
static void move_on(struct busbar_client *client, uint64_t now)
{
    struct uplink *current = client->current;
    struct uplink *next = current;
    const char *endpoint = client->brokers.endpoints[(client->broker + 1) % client->brokers.count];
    client->failures++;
    if (connection_is_open(&current->connection))
        next = free_uplink(client);
    else
        connection_close(&current->connection, 0);
    if (next != NULL && uplink_aim(next, endpoint))
        follow(client, next);
    else
        stay(client, now);
}

static void close_left(struct busbar_client *client)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        struct uplink *uplink = &client->uplinks[i];
        if (uplink == client->current || uplink->connection.state == CONNECTION_CLOSED)
            continue;
        if (list_is_empty(&uplink->put) || !connection_is_open(&uplink->connection))
            connection_close(&uplink->connection, CLIENT_LINGER_MS);
    }
}

void client_tend_brokers(struct busbar_client *client, uint64_t now)
{
    if (!has_others(client))
        return;
    close_left(client);
    if (now >= client->move_at && !client_is_ready(client) && client->calls.used > 0)
        move_on(client, now);
}
