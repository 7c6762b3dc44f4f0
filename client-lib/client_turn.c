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
static void client_receive(struct busbar_client *client, uint64_t now)
{
    client->looked = now;
    for (unsigned i = 0; i < TURN_MESSAGES; i++) {
        if (!connection_process(&client->connection, now, 1) || client->calls.used == 0)
            break;
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
    client_pump(client, now);
    client->is_blocked = connection_flush(&client->connection) != OUTBOX_SENT;
}

static uint64_t heartbeat_interval(const struct busbar_client *client)
{
    uint32_t told = client->connection.welcome.heartbeat_interval;
    return told != 0 ? told : HEARTBEAT_INTERVAL_MS;
}

static unsigned heartbeat_liveness(const struct busbar_client *client)
{
    uint32_t told = client->connection.welcome.heartbeat_liveness;
    return told > 1 ? told : HEARTBEAT_LIVENESS;
}

static bool client_is_expecting(const struct busbar_client *client)
{
    return !list_is_empty(&client->put) && connection_is_open(&client->connection);
}

/*
 * Only while a call waits. The broker is given up after `liveness` intervals of silence that were
 * spent asking, so that a program that slept does not take its own pause for the broker's; and not
 * while bytes of ours are on their way, which may take long on a slow link.
 */
static void client_listen(struct busbar_client *client, uint64_t now)
{
    struct connection *connection = &client->connection;
    const struct packet beat = {.command = PACKET_HEARTBEAT, .id = connection->welcome.token};
    if (!client_is_expecting(client))
        return;
    if (connection->last_received >= client->quiet_since) {
        client->quiet_since = connection->last_received;
        client->beats = 0;
    }
    if (now < client->quiet_since + heartbeat_interval(client))
        return;
    client->quiet_since = now;
    if (++client->beats < heartbeat_liveness(client) ||
        outbox_bytes(&connection->outbox) > BUNDLE_SIZE_MAX) {
        if (connection->state == CONNECTION_UP &&
            connection_put(connection, &beat, NULL) != BUSBAR_OK)
            client->beats--; /* out of memory: it was not asked */
        return;
    }
    client->beats = 0;
    connection_restart(connection, "the broker does not answer");
}

static void client_run_callbacks(struct busbar_client *client)
{
    struct busbar_reply *reply;
    while ((reply = reply_queue_pop(&client->callbacks)) != NULL) {
        client->is_in_callback = true;
        reply->callback(&reply, reply->context);
        client->is_in_callback = false;
        busbar_reply_destroy(&reply);
    }
}

void client_advance(struct busbar_client *client)
{
    uint64_t now = clock_ms();
    client->now = now;
    if (client->connection.state == CONNECTION_CLOSED && client->calls.used > 0)
        (void)connection_open(&client->connection); /* else the calls end by their deadlines */
    client_receive(client, now);
    client_expire(client, now);
    client_listen(client, now);
    client_run_callbacks(client);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t client_due(const struct busbar_client *client, uint64_t now)
{
    uint64_t wait = wheel_wait(&client->wheel, now);
    uint64_t due = wait == UINT64_MAX ? UINT64_MAX : now + wait;
    if (client_is_expecting(client))
        due = earlier(due, client->quiet_since + heartbeat_interval(client));
    if (client->is_blocked && connection_is_open(&client->connection))
        due = earlier(due, now + RETRY_MS);
    if (client->connection.dismissed)
        due = earlier(due, now + DISMISSED_MS);
    return due == UINT64_MAX ? UINT64_MAX : due * NS_PER_MS;
}

/* False if `until` has come. A signal ends the wait early, as input does. */
static bool client_block(struct busbar_client *client, uint64_t until)
{
    uint64_t now = clock_ns();
    uint64_t due = earlier(until, client_due(client, now / NS_PER_MS));
    if (now >= until)
        return false;
    if (now >= due)
        return true;
    struct timespec timeout = {
        .tv_sec = (time_t)((due - now) / NS_PER_S),
        .tv_nsec = (long)((due - now) % NS_PER_S),
    };
    struct pollfd fds[CONNECTION_FDS];
    int numbers[CONNECTION_FDS];
    connection_fds(&client->connection, numbers);
    for (size_t i = 0; i < CONNECTION_FDS; i++)
        fds[i] = (struct pollfd){.fd = numbers[i], .events = POLLIN};
    (void)ppoll(fds, CONNECTION_FDS, due == UINT64_MAX ? NULL : &timeout, NULL);
    return true;
}

bool client_await(struct busbar_client *client, uint64_t until)
{
    bool in_time = true;
    client_send(client, clock_ms());
    if (client->answer == NULL && client->done.count == 0 &&
        connection_is_idle(&client->connection))
        in_time = client_block(client, until);
    else
        in_time = until == UINT64_MAX || clock_ns() < until;
    client_advance(client);
    return in_time;
}
