/* Functions that wait: for one outcome, for those of many calls, for any. */
#include "client-lib/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "client-lib/body.h"

/* A call that was refused before it became one still has an outcome to hand over. */
static enum busbar_status client_refused(struct busbar_client *client, enum busbar_status status,
                                         struct busbar_reply **ret)
{
    if (status == BUSBAR_BAD_ARGUMENT || status == BUSBAR_NO_MEMORY || status == BUSBAR_FORKED)
        return status;
    struct busbar_reply *reply = reply_new_spare(client->replies);
    if (reply == NULL)
        return BUSBAR_NO_MEMORY;
    reply_fail(reply, status, BUSBAR_NOT_EXECUTED, bytes_of_text(client->error));
    *ret = reply;
    return status;
}

/* Keeps a failure on the client; returns its status. */
static enum busbar_status client_note(struct busbar_client *client,
                                      const struct busbar_reply *reply)
{
    if (reply->status == BUSBAR_OK)
        return BUSBAR_OK;
    (void)client_fail(client, reply->status, "%s", reply->error);
    client->fate = reply->fate;
    return reply->status;
}

static enum busbar_status start_awaited(struct busbar_client *client,
                                        const struct busbar_call *call,
                                        struct busbar_reply **answer)
{
    enum busbar_status status = BUSBAR_OK;
    if (call->callback != NULL)
        status = client_fail(client, BUSBAR_BAD_ARGUMENT, "a call that is waited for is needed");
    else if ((call->flags & BUSBAR_STREAM) && call->part == NULL)
        status = client_fail(client, BUSBAR_BAD_ARGUMENT,
                             "a function for the parts is needed where the result is waited for");
    if (status != BUSBAR_OK)
        return client_decline(call, status);
    status = client_start(client, call, answer, NULL);
    return status == BUSBAR_OK ? BUSBAR_OK : client_refused(client, status, answer);
}

enum busbar_status busbar_client_call(struct busbar_client *client, const struct busbar_call *call,
                                      struct busbar_reply **ret)
{
    CLEANUP(busbar_reply_destroy) struct busbar_reply *answer = NULL;
    if (ret != NULL)
        *ret = NULL;
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return client_decline(call, status);
    if (call == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "a call that is waited for is needed");
    status = start_awaited(client, call, &answer);
    while (client->awaited > 0)
        (void)client_await(client, UINT64_MAX);
    if (answer != NULL && status == BUSBAR_OK)
        status = client_note(client, answer);
    if (ret != NULL)
        *ret = STEAL(answer);
    client_settle(client);
    return status;
}

/* Nothing can be called; the bodies are given back all the same. */
static enum busbar_status decline_all(const struct busbar_call *calls, size_t count,
                                      enum busbar_status status)
{
    for (size_t i = 0; calls != NULL && i < count; i++)
        (void)client_decline(&calls[i], status);
    return status;
}

/* The first failure is kept on the client; of calls that were not made its text is there already,
 * unless a later one has overwritten it. */
static enum busbar_status note_first(struct busbar_client *client, enum busbar_status refused,
                                     struct busbar_reply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (replies[i] == NULL)
            return refused;
        if (replies[i]->status != BUSBAR_OK)
            return client_note(client, replies[i]);
    }
    return BUSBAR_OK;
}

enum busbar_status busbar_client_call_many(struct busbar_client *client,
                                           const struct busbar_call *calls, size_t count,
                                           struct busbar_reply **replies)
{
    enum busbar_status refused = BUSBAR_OK; /* the first that there will be no reply for */
    for (size_t i = 0; replies != NULL && i < count; i++)
        replies[i] = NULL;
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return decline_all(calls, count, status);
    if (count > 0 && (calls == NULL || replies == NULL)) {
        (void)client_fail(client, BUSBAR_BAD_ARGUMENT, "no calls, or no place for their replies");
        return decline_all(calls, count, BUSBAR_BAD_ARGUMENT);
    }
    for (size_t i = 0; i < count; i++) {
        status = start_awaited(client, &calls[i], &replies[i]);
        if (status != BUSBAR_OK && replies[i] == NULL && refused == BUSBAR_OK)
            refused = status;
    }
    while (client->awaited > 0)
        (void)client_await(client, UINT64_MAX);
    status = note_first(client, refused, replies, count);
    client_settle(client);
    return status;
}

enum busbar_status busbar_client_wait(struct busbar_client *client, uint32_t timeout_ms,
                                      struct busbar_reply **ret)
{
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return status;
    if (ret == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "there is no place for the reply");
    if (client->callbacks.count > 0)
        client_run_callbacks(client); /* of parts, before the outcome that ends them */
    struct busbar_reply *reply = client_take_done(client);
    if (reply == NULL && client->calls.used > 0) {
        uint64_t until = timeout_ms == 0 ? 0 : clock_ns() + timeout_ms * UINT64_C(1000000);
        bool in_time = true;
        while (in_time && reply == NULL && client->calls.used > 0) {
            in_time = client_await(client, until);
            reply = client_take_done(client);
        }
    }
    client_settle(client);
    *ret = reply;
    return reply == NULL ? BUSBAR_NOTHING : BUSBAR_OK;
}
