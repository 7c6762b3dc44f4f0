/* A leader's turn: planned with the lock held, done without it. */
#include "worker-lib/leader.h"

#include <poll.h>

#include "base/clock.h"
#include "worker-lib/crew.h"
#include "worker-lib/registrar.h"
#include "worker-lib/request.h"
#include "worker-lib/run.h"
#include "worker-lib/session.h"
#include "worker-lib/wake.h"

enum {
    MESSAGES_PER_TURN = 16,
    QUEUED_TOO_LONG_NS = 20 * 1000 * 1000, /* calls that could not begin go back after this */
    QUEUED_LOOK_MS = 20,
    GREETING_MS = 3000, /* how long HELLO may go without an answer */
    BLOCKED_MS = 1,
    REOPEN_MS = 500,
    DRAINING_LOOK_MS = 100,
    EXTRA_CREDIT_MS = 100,   /* how long it is kept when no handler is away any more */
    UNSETTLED_LOOK_MS = 500, /* a connection in between is looked at from time to time */
    CLOSE_LINGER_MS = 1000,
    GOODBYE_MS = 1000, /* how long the broker may take to say that no call is under way any more */
};

/* What one turn has to do, decided with the lock held and done without it. */
struct turn {
    bool may_wait;
    bool drain; /* says GOAWAY: the stop has begun */
    bool draining;
    bool idle; /* no request is here in any form, or on its way */
    bool heartbeat_lost;
    uint64_t services_at;
    uint64_t stop_at;
    uint64_t wait_ms;
    uint32_t credit; /* to be told; 0 for none */
    struct request_list returns;
};

/*
 * Handlers that wait for calls of their own count against the credit without taking anything: it is
 * told higher by as many at once, and lower again only when that has lasted.
 */
static uint32_t plan_extra(struct busbar_worker *worker, struct turn *turn)
{
    uint64_t now_ms = worker->leader.now;
    if (worker->away >= worker->credit.extra)
        worker->extra_until = now_ms + EXTRA_CREDIT_MS;
    else if (now_ms < worker->extra_until) {
        turn->wait_ms = worker->extra_until - now_ms;
        return worker->credit.extra;
    }
    return worker->away;
}

/* What the broker is told to send at most, as handlers have been, and as the one that runs is. */
static void plan_credit(struct busbar_worker *worker, struct turn *turn, uint64_t now_ns)
{
    struct credit *credit = &worker->credit;
    uint64_t busy_ns = worker->running >= worker->threads && now_ns > worker->started_ns
                           ? now_ns - worker->started_ns
                           : 0;
    if (worker->denied_ns != 0 && now_ns > worker->denied_ns) /* others' handlers are in the way */
        busy_ns = now_ns - worker->denied_ns;
    uint32_t wanted = credit_wanted(credit, busy_ns);
    uint32_t extra = plan_extra(worker, turn);
    if (!worker->leader.in_session || (extra == credit->extra && !credit_is_off(credit, wanted)))
        return;
    credit->in_force = wanted;
    credit->extra = extra;
    turn->credit = wanted + extra;
}

/* Calls that wait behind a handler that became slow move on, the last ones that came first, as far
 * as there are more than the credit in force. */
static void plan_returns(struct busbar_worker *worker, struct turn *turn, uint64_t now_ns)
{
    struct busbar_request *request = request_list_first(&worker->queue);
    if (request == NULL || worker->credit.fixed != 0 ||
        now_ns < request->arrived_ns + QUEUED_TOO_LONG_NS)
        return;
    while (worker->queue.count > 0 &&
           worker->queue.count + worker->running > worker->credit.in_force) {
        request = request_list_last(&worker->queue);
        request_list_remove(&worker->queue, request);
        request_list_append(&turn->returns, request);
    }
}

/*
 * The services are deregistered although BYE would do: the broker's answer to that is the last
 * packet that can follow a call, so that none is lost that crossed the GOAWAY.
 */
static void plan_stop(struct busbar_worker *worker, struct turn *turn)
{
    uint64_t now_ms = worker->leader.now;
    if (worker->phase == WORKER_RUNNING && (worker->stop_wanted || worker->refusal != BUSBAR_OK)) {
        worker->phase = WORKER_DRAINING;
        worker->stop_at = now_ms + worker->stop_timeout;
        worker->goodbye_at = now_ms + GOODBYE_MS;
        turn->drain = true;
        if (worker->crew != NULL)
            crew_stop(worker->crew); /* a refusal ends all */
        registrar_leave(worker);
    }
    turn->draining = worker->phase == WORKER_DRAINING;
    worker->leader.draining = turn->draining;
    turn->stop_at = worker->stop_at;
    if (turn->draining)
        request_list_move(&turn->returns, &worker->queue);
    turn->idle = worker->active.count == 0 &&
                 (list_is_empty(&worker->services.services) || now_ms >= worker->goodbye_at);
}

static void plan(struct busbar_worker *worker, struct turn *turn)
{
    uint64_t now_ns = clock_ns();
    *turn = (struct turn){.wait_ms = UINT64_MAX};
    request_list_init(&turn->returns);
    worker->leader.now = now_ns / 1000000;
    run_recall(worker);
    if (worker->leader.spare.count == 0)
        request_list_move(&worker->leader.spare, &worker->spare);
    plan_stop(worker, turn);
    if (!turn->draining) {
        plan_credit(worker, turn, now_ns);
        plan_returns(worker, turn, now_ns);
    }
    if (worker->denied_ns != 0 && worker->queue.count == 0)
        crew_withdraw(worker);
    worker->returned += turn->returns.count + worker->leader.returned;
    worker->leader.returned = 0;
    worker->leader.room = WORKER_QUEUE_MAX - worker->queue.count;
    turn->services_at = worker->services_at;
    turn->heartbeat_lost = worker->heartbeat_lost.session != 0;
    turn->may_wait = !turn->heartbeat_lost &&
                     (worker->queue.count == 0 || worker->running >= worker->threads ||
                      worker->denied_ns != 0);
    if (worker->queue.count > 0 && turn->wait_ms > QUEUED_LOOK_MS)
        turn->wait_ms = QUEUED_LOOK_MS;
}

static uint64_t until(uint64_t due, uint64_t now)
{
    return due > now ? due - now : 0;
}

static void say(struct busbar_worker *worker, struct turn *turn)
{
    struct leader *leader = &worker->leader;
    if (turn->services_at <= leader->now)
        turn->services_at = registrar_step(worker);
    if (turn->services_at != UINT64_MAX && until(turn->services_at, leader->now) < turn->wait_ms)
        turn->wait_ms = until(turn->services_at, leader->now);
    if (turn->credit != 0)
        session_put(worker, PACKET_CREDIT, turn->credit);
    if (turn->drain)
        session_put(worker, PACKET_GOAWAY, 0);
    LIST_EACH(node, &turn->returns.list)
        session_return(worker, CONTAINER_OF(node, struct busbar_request, link));
    request_list_discard(&turn->returns, &leader->spare);
}

static void flush(struct busbar_worker *worker)
{
    struct leader *leader = &worker->leader;
    leader->blocked = false;
    if (!connection_is_open(&leader->connection))
        return;
    if (!outbox_is_empty(&leader->connection.outbox) &&
        connection_flush(&leader->connection) != OUTBOX_SENT) {
        leader->blocked = true;
        return;
    }
    leader->blocked = answers_flush(&worker->answers, leader->connection.socket) != OUTBOX_SENT;
}

void leader_flush(struct busbar_worker *worker)
{
    flush(worker);
}

static int wait_timeout(const struct busbar_worker *worker, const struct turn *turn)
{
    const struct leader *leader = &worker->leader;
    uint64_t wait = turn->wait_ms;
    if (leader->blocked)
        wait = BLOCKED_MS;
    if ((leader->connection.state == CONNECTION_GREETING || leader->connection.dismissed) &&
        wait > UNSETTLED_LOOK_MS)
        wait = UNSETTLED_LOOK_MS;
    if (turn->draining) {
        uint64_t left = until(turn->stop_at, leader->now);
        wait = left < wait ? left : wait;
        wait = wait > DRAINING_LOOK_MS ? DRAINING_LOOK_MS : wait;
    }
    if (wait == UINT64_MAX)
        return -1;
    return wait > INT32_MAX ? INT32_MAX : (int)wait;
}

/* Polls; returns how many messages may be there: one, as long as calls come one by one. */
static unsigned poll_connection(struct busbar_worker *worker, const struct turn *turn)
{
    struct leader *leader = &worker->leader;
    int fds[CONNECTION_FDS];
    struct pollfd polled[CONNECTION_FDS + 1] = {{.fd = worker->wake_fd, .events = POLLIN}};
    connection_fds(&leader->connection, fds);
    for (int i = 0; i < CONNECTION_FDS; i++)
        polled[i + 1] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    int ready = poll(polled, CONNECTION_FDS + 1, wait_timeout(worker, turn));
    if (polled[0].revents != 0)
        wake_clear(worker->wake_fd);
    if (ready <= 0)
        return MESSAGES_PER_TURN;
    return ready > (polled[0].revents != 0) ? 1 : 0;
}

/*
 * Waits for something to do, if there is nothing and the turn may wait. Returns how many messages
 * to take in now: each look into an empty socket costs system calls, so none is taken that the next
 * turn can take as well.
 */
static unsigned wait_for_work(struct busbar_worker *worker, const struct turn *turn)
{
    struct leader *leader = &worker->leader;
    if (!turn->may_wait || !connection_is_idle(&leader->connection))
        return MESSAGES_PER_TURN;
    if (!answers_sleep(&worker->answers) && !leader->blocked)
        return 0;
    unsigned messages = poll_connection(worker, turn);
    answers_awake(&worker->answers);
    leader->now = clock_ms();
    return messages;
}

/* After a restart for which no socket could be had. */
static void reopen(struct busbar_worker *worker, struct turn *turn)
{
    if (connection_open(&worker->leader.connection) != BUSBAR_OK)
        turn->wait_ms = turn->wait_ms < REOPEN_MS ? turn->wait_ms : REOPEN_MS;
}

static void check_greeting(struct leader *leader)
{
    if (leader->connection.state == CONNECTION_GREETING &&
        leader->now > leader->greeting_since + GREETING_MS)
        connection_restart(&leader->connection, "the broker does not answer");
}

static void end(struct busbar_worker *worker, const struct turn *turn)
{
    struct leader *leader = &worker->leader;
    uint64_t left = until(turn->stop_at, leader->now);
    flush(worker);
    connection_close(&leader->connection,
                     left < CLOSE_LINGER_MS ? (uint32_t)left : CLOSE_LINGER_MS);
    answers_session(&worker->answers, 0);
    leader->in_session = false;
}

/* Everything that is answered has left, or time is up. */
static bool is_over(struct busbar_worker *worker, const struct turn *turn)
{
    const struct leader *leader = &worker->leader;
    if (!turn->draining)
        return false;
    return (turn->idle && !leader->blocked && answers_sleep(&worker->answers)) ||
           leader->now >= turn->stop_at;
}

/* Without the lock. Returns true if this was the last turn. */
static bool work(struct busbar_worker *worker, struct turn *turn)
{
    struct leader *leader = &worker->leader;
    if (leader->connection.state == CONNECTION_CLOSED)
        reopen(worker, turn);
    say(worker, turn);
    flush(worker);
    if (is_over(worker, turn)) {
        end(worker, turn);
        return true;
    }
    unsigned messages = wait_for_work(worker, turn);
    if (messages > 0)
        connection_process(&leader->connection, leader->now, messages);
    if (turn->heartbeat_lost)
        session_heartbeat(worker);
    check_greeting(leader);
    flush(worker);
    return false;
}

static void enqueue(struct busbar_worker *worker)
{
    struct leader *leader = &worker->leader;
    if (leader->arrived.count == 0)
        return;
    worker->requests += leader->arrived.count;
    worker->traffic_ns = worker->turn_ns;
    request_list_move(&worker->queue, &leader->arrived);
}

static void finish(struct busbar_worker *worker)
{
    worker->phase = WORKER_ENDED;
    worker->result = worker->refusal;
    if (worker->result == BUSBAR_OK && worker->active.count > 0)
        worker->result = BUSBAR_TIMEOUT;
    pthread_cond_broadcast(&worker->followers);
    pthread_cond_broadcast(&worker->changed);
    pthread_cond_broadcast(&worker->granted);
}

void leader_turn(struct busbar_worker *worker)
{
    struct turn turn;
    plan(worker, &turn);
    worker->led = true;
    worker_unlock(worker);
    bool last = work(worker, &turn);
    worker_lock(worker);
    worker->turn_ns = clock_ns();
    enqueue(worker);
    worker->led = false;
    worker->since_turn = 0;
    if (last)
        finish(worker);
}
