/* Calls by a link: which broker is tried when, how long, and what ends the wait. */
#include "objects/link_brokers.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "client-lib/place.h"
#include "objects/object.h"

enum {
    CONNECT_MS = 800, /* for all brokers together, so that nothing to be reached takes < 1 s */
    CONNECT_OTHERS_MS = 250, /* the same where there is somebody else to be asked */
    CONNECT_LEAST_MS = 25,   /* for each */
    UNWANTED_MS = 1000,      /* how long others go before a broker that could not be reached */
    LOOK_MS = 10,            /* between two questions whether a call is still wanted */
    CANCELLED_MS = 250,      /* how long the outcome of one that is not wanted is awaited */
};

/* One call on its way along the brokers. */
struct journey {
    struct link *link;
    struct link_call *call;
    uint32_t timeout_ms; /* of the whole */
    size_t left;         /* brokers that were not tried */
    bool is_cancelled;
    struct link_reply reply;
};

/* Was the client's own broker not reached, or lost? A worker may report the loss of another one. */
static bool is_lost(const struct busbar_reply *reply)
{
    return busbar_reply_status(reply) == BUSBAR_BROKER_LOST &&
           busbar_reply_source(reply) == BUSBAR_BY_CLIENT;
}

/* A client that was not answered by its broker has seen trouble; another may have more luck. */
void link_reply_fini(struct link_reply *reply)
{
    bool is_good = reply->reply != NULL && !is_lost(reply->reply);
    busbar_reply_destroy(&reply->reply);
    if (is_good)
        lender_give(reply->broker, &reply->lent);
    busbar_client_destroy(&reply->lent.client);
}

/* What the client refused before there was anything to wait for. */
static enum busbar_status refused(const struct busbar_client *client, enum busbar_status status)
{
    const char *text = busbar_client_error(client);
    return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s", busbar_client_broker(client),
                       text[0] != '\0' ? text : busbar_status_text(status));
}

/* A broker that hangs does not keep whoever has cancelled; the client goes with the call. */
static enum busbar_status given_up(const struct busbar_client *client,
                                   const struct busbar_call *call)
{
    return busbar_fail(BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED,
                       "%s.%s: cancelled, but %s has not confirmed it", call->service, call->method,
                       busbar_client_broker(client));
}

/* Waits in slices; a call that is not wanted any more is cancelled, and its outcome awaited for a
 * while. */
static enum busbar_status wait_in_slices(struct journey *journey, const struct busbar_call *call)
{
    struct busbar_client *client = journey->reply.lent.client;
    struct busbar_reply **reply = &journey->reply.reply;
    uint64_t id;
    uint64_t until = UINT64_MAX;
    enum busbar_status status = busbar_client_start(client, call, &id);
    if (status != BUSBAR_OK)
        return refused(client, status);
    do {
        status = busbar_client_wait(client, LOOK_MS, reply);
        if (status != BUSBAR_NOTHING)
            break;
        if (!journey->is_cancelled && journey->call->cancelled(journey->call->context)) {
            journey->is_cancelled = true;
            until = clock_ms() + CANCELLED_MS;
            status = busbar_client_cancel(client, id);
        }
    } while (busbar_client_outstanding(client) > 0 && clock_ms() < until);
    if (*reply != NULL)
        return busbar_reply_status(*reply);
    if (clock_ms() >= until)
        return given_up(client, call);
    return refused(client, status == BUSBAR_OK ? BUSBAR_SYSTEM : status);
}

static enum busbar_status call_client(struct journey *journey, const struct busbar_call *call)
{
    struct link_reply *reply = &journey->reply;
    if (journey->call->cancelled != NULL)
        return wait_in_slices(journey, call);
    enum busbar_status status = busbar_client_call(reply->lent.client, call, &reply->reply);
    return reply->reply != NULL ? status : refused(reply->lent.client, status);
}

/*
 * A share of the time of the whole call, so that each broker can have its turn. In steps, since
 * clients are kept by it; a lone broker has all there is.
 */
static uint32_t connect_ms(const struct journey *journey)
{
    uint32_t all = journey->call->has_others ? CONNECT_OTHERS_MS : CONNECT_MS;
    while (journey->link->count > 1 && all > CONNECT_LEAST_MS && all > journey->timeout_ms)
        all /= 2;
    uint32_t share = all / (uint32_t)journey->link->count;
    return share < CONNECT_LEAST_MS ? CONNECT_LEAST_MS : share;
}

/* The last broker gets the body itself, those before it a copy. */
static struct busbar_call call_of(struct journey *journey, uint32_t timeout_ms)
{
    struct busbar_call call = journey->call->call;
    call.timeout_ms = timeout_ms;
    if (journey->left > 0)
        call.body.free = NULL;
    else
        journey->call->call.body = (struct busbar_body){0};
    return call;
}

static enum busbar_status try_broker(struct journey *journey, struct lender *broker,
                                     uint32_t timeout_ms)
{
    link_reply_fini(&journey->reply);
    journey->reply = (struct link_reply){.broker = broker, .lent.connect_ms = connect_ms(journey)};
    enum busbar_status status = lender_take(broker, &journey->reply.lent);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s", broker->endpoint,
                           busbar_status_text(status));
    struct busbar_call call = call_of(journey, timeout_ms);
    return call_client(journey, &call);
}

/* The broker was not reached, or takes nothing new: another may. A worker may report DRAINING, too,
 * and then other brokers may have other workers. */
static bool is_missed(const struct journey *journey, enum busbar_status status)
{
    const struct busbar_reply *reply = journey->reply.reply;
    return reply != NULL && (is_lost(reply) || status == BUSBAR_DRAINING) &&
           busbar_reply_fate(reply) == BUSBAR_NOT_EXECUTED;
}

static uint32_t left_of(uint64_t deadline)
{
    uint64_t now = clock_ms();
    return now < deadline ? (uint32_t)(deadline - now) : 0;
}

/* In the order of the list from the one that answered last on; those that failed lately at the end.
 * Returns how many. */
static size_t put_in_order(struct link *link, size_t order[LINK_BROKERS_MAX])
{
    size_t later[LINK_BROKERS_MAX];
    size_t wanted = 0;
    size_t unwanted = 0;
    uint64_t now = clock_ms();
    size_t first = atomic_load_explicit(&link->answered, memory_order_relaxed);
    for (size_t i = 0; i < link->count; i++) {
        size_t index = (first + i) % link->count;
        if (atomic_load_explicit(&link->brokers[index].unwanted_til, memory_order_relaxed) > now)
            later[unwanted++] = index;
        else
            order[wanted++] = index;
    }
    for (size_t i = 0; i < unwanted; i++)
        order[wanted + i] = later[i];
    return link->count;
}

/* What the others, and the next call, learn of it. An outcome that this side has made up tells
 * nothing of the broker. */
static void note(struct journey *journey, size_t index, enum busbar_status status)
{
    struct link *link = journey->link;
    struct lender *broker = &link->brokers[index];
    if (is_missed(journey, status))
        atomic_store_explicit(&broker->unwanted_til, clock_ms() + UNWANTED_MS,
                              memory_order_relaxed);
    if (journey->reply.reply == NULL || status == BUSBAR_DRAINING ||
        busbar_reply_source(journey->reply.reply) == BUSBAR_BY_CLIENT)
        return;
    if (atomic_load_explicit(&broker->unwanted_til, memory_order_relaxed) != 0)
        atomic_store_explicit(&broker->unwanted_til, 0, memory_order_relaxed);
    if (index != atomic_load_explicit(&link->answered, memory_order_relaxed))
        atomic_store_explicit(&link->answered, index, memory_order_relaxed);
}

static enum busbar_status travel(struct journey *journey)
{
    struct link *link = journey->link;
    size_t order[LINK_BROKERS_MAX] = {0};
    enum busbar_status status = BUSBAR_OK;
    uint64_t deadline = clock_ms() + journey->timeout_ms;
    uint32_t left_ms = journey->timeout_ms;
    journey->left = put_in_order(link, order);
    for (size_t i = 0; i < link->count && left_ms > 0; i++) {
        journey->left--;
        status = try_broker(journey, &link->brokers[order[i]], left_ms);
        note(journey, order[i], status);
        if (!is_missed(journey, status) || journey->is_cancelled)
            break;
        left_ms = left_of(deadline);
    }
    return status;
}

static enum busbar_status go(struct link *link, struct link_call *call, struct link_reply *ret)
{
    struct journey journey = {.link = link, .call = call, .timeout_ms = call->call.timeout_ms};
    enum busbar_status status;
    if (journey.timeout_ms == 0)
        journey.timeout_ms = BUSBAR_DEFAULT_TIMEOUT_MS;
    if (link->count == 1)
        status = try_broker(&journey, &link->brokers[0], journey.timeout_ms);
    else
        status = travel(&journey);
    if (journey.reply.reply == NULL)
        link_reply_fini(&journey.reply);
    *ret = journey.reply;
    return status;
}

bool link_leave(struct place **ret)
{
    *ret = place_set(NULL);
    if (*ret == NULL || (*ret)->leave(*ret))
        return true;
    place_set(STEAL(*ret));
    return false;
}

void link_return(struct place **place)
{
    struct place *taken = STEAL(*place);
    if (taken == NULL)
        return;
    taken->take(taken);
    place_set(taken);
}

enum busbar_status link_call(struct link *link, struct link_call *call, struct link_reply *ret)
{
    struct place *place = NULL;
    enum busbar_status status;
    *ret = (struct link_reply){0};
    if (fork_mark_is_forked(&link->mark)) {
        status = busbar_fail(BUSBAR_FORKED, BUSBAR_NOT_EXECUTED, "%s at %s: %s", call->call.service,
                             link->name, busbar_status_text(BUSBAR_FORKED));
    } else if (!link_leave(&place)) {
        status = busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED,
                             "%s at %s: 64 handlers of this worker wait for calls of their own "
                             "already",
                             call->call.service, link->name);
    } else {
        status = go(link, call, ret);
        link_return(&place);
    }
    busbar_body_release(&call->call.body);
    return status;
}
