/* The turns of a client: what is sent when, how much is received at once, and how it waits. */
#include "client-lib/client.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

enum {
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
    TURN_MESSAGES = 64,           /* received before callbacks run */
    PAUSE_MS = 10,                /* between turns, after which the link may be another */
    RETRY_MS = 1,                 /* until a flush that was blocked is tried again */
    DISMISSED_MS = 100,           /* until a link is looked at on which the broker said BYE */
    HEARTBEAT_INTERVAL_MS = 1000, /* until a WELCOME tells other values */
    HEARTBEAT_LIVENESS = 3,
};

/* A look that finds nothing costs a system call, so there is none when no answer is due. */
static void uplink_receive(struct uplink *uplink, uint64_t now)
{
    for (unsigned i = 0; i < TURN_MESSAGES; i++) {
        if (!connection_process(&uplink->connection, now, 1) || uplink->client->calls.used == 0)
            break;
    }
}

static void client_receive(struct busbar_client *client, uint64_t now)
{
    client->looked = now;
    for (size_t i = 0; i < client_uplinks(client); i++) {
        if (client->uplinks[i].connection.socket != NULL)
            uplink_receive(&client->uplinks[i], now);
    }
}

static void client_flush(struct busbar_client *client)
{
    for (size_t i = 0; i < client_uplinks(client); i++) {
        struct uplink *uplink = &client->uplinks[i];
        if (uplink->connection.socket != NULL)
            uplink->is_blocked = connection_flush(&uplink->connection) != OUTBOX_SENT;
    }
}

/*
 * After a pause the news of the link comes first: what was sent into a link that is gone could have
 * been executed for all this side knows, what was not sent goes to the next session.
 */
void client_send(struct busbar_client *client, uint64_t now)
{
    client->now = now;
    if (now >= client->looked + PAUSE_MS)
        client_receive(client, now);
    client_tend_brokers(client, now);
    if (!list_is_empty(&client->waiting))
        client_put_waiting(client, now);
    if (!list_is_empty(&client->granting))
        client_put_grants(client);
    client_flush(client);
}

static uint64_t heartbeat_interval(const struct uplink *uplink)
{
    uint32_t told = uplink->connection.welcome.heartbeat_interval;
    return told != 0 ? told : HEARTBEAT_INTERVAL_MS;
}

static unsigned heartbeat_liveness(const struct uplink *uplink)
{
    uint32_t told = uplink->connection.welcome.heartbeat_liveness;
    return told > 1 ? told : HEARTBEAT_LIVENESS;
}

static bool uplink_is_expecting(const struct uplink *uplink)
{
    return uplink->is_made && !list_is_empty(&uplink->put) &&
           connection_is_open(&uplink->connection);
}

/*
 * Only while a call waits. The broker is given up after `liveness` intervals of silence that were
 * spent asking, so that a program that slept does not take its own pause for the broker's; and not
 * while bytes of ours are on their way, or a large message of the broker's, which may take long on a
 * slow link: all that it says later comes behind that.
 */
static void uplink_listen(struct uplink *uplink, uint64_t now)
{
    struct connection *connection = &uplink->connection;
    const struct packet beat = {.command = PACKET_HEARTBEAT, .id = connection->welcome.token};
    if (connection->last_received >= uplink->quiet_since) {
        uplink->quiet_since = connection->last_received;
        uplink->beats = 0;
    }
    if (now < uplink->quiet_since + heartbeat_interval(uplink))
        return;
    uint64_t bytes_in = connection_bytes_in(connection);
    bool is_moving = bytes_in != uplink->bytes_in;
    uplink->bytes_in = bytes_in;
    uplink->quiet_since = now;
    if (++uplink->beats < heartbeat_liveness(uplink) || is_moving ||
        outbox_bytes(&connection->outbox) > BUNDLE_SIZE_MAX) {
        if (connection->state == CONNECTION_UP &&
            connection_put(connection, &beat, NULL) != BUSBAR_OK)
            uplink->beats--; /* out of memory: it was not asked */
        return;
    }
    uplink->beats = 0;
    connection_restart(connection, "the broker does not answer");
}

static void client_listen(struct busbar_client *client, uint64_t now)
{
    for (size_t i = 0; i < client_uplinks(client); i++) {
        if (uplink_is_expecting(&client->uplinks[i]))
            uplink_listen(&client->uplinks[i], now);
    }
}

void client_advance(struct busbar_client *client, uint64_t now)
{
    client->now = now;
    if (client->calls.used > 0)
        (void)client_open(client); /* else the calls end by their deadlines */
    client_receive(client, now);
    client_expire(client, now);
    client_listen(client, now);
    client_run_callbacks(client);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t uplink_due(const struct uplink *uplink, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    if (uplink_is_expecting(uplink))
        due = uplink->quiet_since + heartbeat_interval(uplink);
    if (uplink->is_blocked && connection_is_open(&uplink->connection))
        due = earlier(due, now + RETRY_MS);
    if (uplink->connection.dismissed)
        due = earlier(due, now + DISMISSED_MS);
    return due;
}

uint64_t client_due(const struct busbar_client *client, uint64_t now)
{
    uint64_t wait = wheel_wait(&client->wheel, now);
    uint64_t due = wait == UINT64_MAX ? UINT64_MAX : now + wait;
    for (size_t i = 0; i < client_uplinks(client); i++)
        due = earlier(due, uplink_due(&client->uplinks[i], now));
    due = earlier(due, client_move_due(client));
    return due == UINT64_MAX ? UINT64_MAX : due * NS_PER_MS;
}

bool client_is_idle(struct busbar_client *client)
{
    bool is_idle = true;
    for (size_t i = 0; i < client_uplinks(client); i++)
        is_idle = connection_is_still(&client->uplinks[i].connection) && is_idle;
    return is_idle;
}

static nfds_t client_fds(const struct busbar_client *client, struct pollfd fds[CLIENT_FDS])
{
    nfds_t count = 0;
    for (size_t i = 0; i < client_uplinks(client); i++) {
        int numbers[CONNECTION_FDS];
        if (client->uplinks[i].connection.socket == NULL)
            continue;
        connection_fds(&client->uplinks[i].connection, numbers);
        for (size_t j = 0; j < CONNECTION_FDS; j++)
            fds[count++] = (struct pollfd){.fd = numbers[j], .events = POLLIN};
    }
    return count;
}

/* The connection that is the only one; NULL if there are more, or none. */
static struct connection *client_only_connection(struct busbar_client *client)
{
    struct connection *only = NULL;
    for (size_t i = 0; i < client_uplinks(client); i++) {
        if (client->uplinks[i].connection.socket == NULL)
            continue;
        if (only != NULL)
            return NULL;
        only = &client->uplinks[i].connection;
    }
    return only;
}

/* Most answers come soon and alone. True if a message is there. Ends in the millisecond before
 * anything else is due: exact is the wait for the descriptors. */
static bool client_wait_for_message(struct busbar_client *client, uint64_t now, uint64_t until)
{
    struct connection *connection = client_only_connection(client);
    uint64_t due = earlier(until, client_due(client, now / NS_PER_MS));
    uint64_t wait_ms = due > now ? (due - now) / NS_PER_MS : 0;
    return connection != NULL && wait_ms > 1 && connection_wait(connection, wait_ms - 1);
}

/* At most until `until`. A signal ends the wait early, as input does. */
static void client_block(struct busbar_client *client, uint64_t until)
{
    uint64_t now = clock_ns();
    uint64_t due = earlier(until, client_due(client, now / NS_PER_MS));
    if (now >= due)
        return;
    struct timespec timeout = {
        .tv_sec = (time_t)((due - now) / NS_PER_S),
        .tv_nsec = (long)((due - now) % NS_PER_S),
    };
    struct pollfd fds[CLIENT_FDS];
    nfds_t count = client_fds(client, fds);
    (void)ppoll(fds, count, due == UINT64_MAX ? NULL : &timeout, NULL);
}

/* Did what was waited for come with the last look before sending? */
static bool client_has_news(const struct busbar_client *client, bool awaits_answers)
{
    if (client->callbacks.count > 0)
        return true;
    return awaits_answers ? client->awaited == 0 : client->done.count > 0;
}

bool client_await(struct busbar_client *client, uint64_t until)
{
    bool awaits_answers = client->awaited > 0;
    uint64_t now = clock_ns();
    bool in_time = now < until;
    client_send(client, now / NS_PER_MS);
    if (in_time && !client_has_news(client, awaits_answers)) {
        if (!client_wait_for_message(client, now, until) && client_is_idle(client))
            client_block(client, until);
        now = clock_ns();
    }
    client_advance(client, now / NS_PER_MS);
    return in_time;
}
