/* A call through a pool: from member to member until one answers, each at most once. */
#include "objects/pool_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/outcome.h"

enum {
    TOLD_MAX = 8, /* members that a text names one by one */
};

/* What of a call is to be known from one member to the next. */
struct attempts {
    struct pool *pool;
    const struct busbar_object_call *call;
    uint64_t deadline; /* ms; 0: the members' own */
    struct pool_tried tried;
    bool maybe_executed; /* by a member that was tried */
    bool moved;
    /* The failure to tell if no other member answers: of one that was reached. OK: none was. */
    enum busbar_status status;
    char *text;
};

/* The failures after which another member may do better; all others end the call. */
static const struct rule {
    enum busbar_status status;
    bool sets_aside; /* it is a failure in transport; else the member was reached */
} RULES[] = {
    {BUSBAR_BROKER_LOST, true}, {BUSBAR_NO_SERVICE, true},   {BUSBAR_NO_MEMBERS, true},
    {BUSBAR_DRAINING, true},    {BUSBAR_BUSY, false},        {BUSBAR_NO_METHOD, false},
    {BUSBAR_FORKED, false},     {BUSBAR_WORKER_LOST, false},
};

static const struct rule *rule_find(enum busbar_status status)
{
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
        if (RULES[i].status == status)
            return &RULES[i];
    }
    return NULL;
}

/*
 * A call that never left until its deadline did not reach a broker in that time. Only kinds that can
 * be asked whether they are reached have that; a program waits for its turn.
 */
static bool is_unreachable(const struct pool_member *member, enum busbar_status status)
{
    const struct rule *rule = rule_find(status);
    if (rule != NULL)
        return rule->sets_aside;
    return status == BUSBAR_TIMEOUT && busbar_last_fate() == BUSBAR_NOT_EXECUTED &&
           member->object->class->probe != NULL;
}

const char *pool_reason(char out[POOL_REASON_SIZE], const struct pool_member *member)
{
    const char *name = object_name(member->object);
    const char *text = busbar_last_error();
    size_t size = strlen(name);
    if (strncmp(text, name, size) == 0 && strncmp(text + size, ": ", 2) == 0)
        text += size + 2; /* the list has the name already */
    snprintf(out, POOL_REASON_SIZE, "%s: %s", busbar_status_name(busbar_last_status()), text);
    return out;
}

/* Texts ---------------------------------------------------------------------------------------- */

static void print_member(FILE *out, const struct pool_member *member, uint64_t now)
{
    fprintf(out, "; %s: ", object_name(member->object));
    if (!member->aside)
        fputs("was tried", out);
    else if (now < member->failed_at + 100)
        fputs(member->reason, out);
    else
        fprintf(out, "%s (%.1f s ago)", member->reason, (double)(now - member->failed_at) / 1000);
}

static void print_members(FILE *out, struct pool *pool)
{
    pool_lock(pool);
    const struct pool_members *members = pool->members;
    uint64_t now = clock_ms();
    fputs(members->count == 0 ? "the pool has no members" : "no member can be reached", out);
    for (size_t i = 0; i < members->count && i < TOLD_MAX; i++)
        print_member(out, members->at[i], now);
    if (members->count > TOLD_MAX)
        fprintf(out, "; and %zu more", members->count - TOLD_MAX);
    pool_unlock(pool);
}

enum busbar_status pool_fail_no_members(struct pool *pool, enum busbar_fate fate)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        print_members(out, pool);
        fclose(out);
    }
    busbar_fail(BUSBAR_NO_MEMBERS, fate, "%s: %s", object_name(&pool->object),
                text != NULL ? text : busbar_status_text(BUSBAR_NO_MEMBERS));
    free(text);
    return BUSBAR_NO_MEMBERS;
}

/* One member ----------------------------------------------------------------------------------- */

static enum busbar_fate attempts_fate(const struct attempts *attempts)
{
    return attempts->maybe_executed ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
}

/* That one member does not have the method says less than what another one said. */
static void attempts_keep(struct attempts *attempts, enum busbar_status status)
{
    if (attempts->status != BUSBAR_OK && status == BUSBAR_NO_METHOD)
        return;
    attempts->status = status;
    free(attempts->text);
    attempts->text = strdup(busbar_last_error());
}

/* May the call go on to another member, after a failure that is the thread's outcome? */
static bool attempts_move(struct attempts *attempts, enum busbar_status status)
{
    const struct rule *rule = rule_find(status);
    if (rule == NULL)
        return false;
    if (busbar_last_fate() != BUSBAR_NOT_EXECUTED) {
        attempts->maybe_executed = true;
        if (!pool_is_idempotent(attempts->pool, attempts->call->method))
            return false;
    }
    if (!rule->sets_aside)
        attempts_keep(attempts, status);
    return true;
}

/* An outcome that ends the call, as the member told it; but an earlier one may have executed it. */
static enum busbar_status attempts_end(const struct attempts *attempts, enum busbar_status status)
{
    if (status != BUSBAR_OK && attempts->maybe_executed)
        outcome_doubt();
    return status;
}

static enum busbar_status call_member(const struct attempts *attempts, const struct pool_pick *pick,
                                      uint32_t timeout_ms, struct busbar_value **ret)
{
    char reason[POOL_REASON_SIZE];
    struct busbar_object_call call = *attempts->call;
    call.timeout_ms = timeout_ms;
    call.part = NULL; /* what one member has sent already cannot be taken back for another */
    enum busbar_status status = busbar_object_call(pick->member->object, &call, ret);
    bool executed = status == BUSBAR_OK || busbar_last_fate() == BUSBAR_EXECUTED;
    bool unreachable = status != BUSBAR_OK && is_unreachable(pick->member, status);
    pool_settle(attempts->pool, pick, executed,
                unreachable ? pool_reason(reason, pick->member) : NULL);
    return status;
}

/* All members ---------------------------------------------------------------------------------- */

static enum busbar_status attempts_give_up(const struct attempts *attempts)
{
    enum busbar_fate fate = attempts_fate(attempts);
    if (attempts->status == BUSBAR_OK)
        return pool_fail_no_members(attempts->pool, fate);
    return outcome_fail_text(attempts->status, fate,
                             attempts->text != NULL ? attempts->text
                                                    : busbar_status_text(attempts->status));
}

/* Is the call still wanted, between two members? Else the outcome is told. */
static bool attempts_go_on(struct attempts *attempts, uint32_t *timeout_ms)
{
    const struct busbar_object_call *call = attempts->call;
    const char *name = object_name(&attempts->pool->object);
    if (call->cancelled != NULL && call->cancelled(call->context)) {
        busbar_fail(BUSBAR_CANCELLED, attempts_fate(attempts),
                    "%s: %s was cancelled between two members", name, call->method);
        return false;
    }
    if (attempts->deadline == 0)
        return true;
    uint64_t now = clock_ms();
    if (now < attempts->deadline) {
        *timeout_ms = (uint32_t)(attempts->deadline - now);
        return true;
    }
    busbar_fail(attempts->maybe_executed ? BUSBAR_TIMEOUT : BUSBAR_EXPIRED, attempts_fate(attempts),
                "%s: the deadline of %s passed before a member could be reached", name,
                call->method);
    return false;
}

static enum busbar_status attempts_run(struct attempts *attempts, struct busbar_value **ret)
{
    uint32_t timeout_ms = attempts->call->timeout_ms;
    struct pool_pick pick;
    while (pool_pick(attempts->pool, &attempts->tried, &pick)) {
        if (attempts->tried.count > 1 && !attempts->moved) {
            attempts->moved = true;
            atomic_fetch_add_explicit(&attempts->pool->moved, 1, memory_order_relaxed);
        }
        enum busbar_status status = call_member(attempts, &pick, timeout_ms, ret);
        if (status == BUSBAR_OK || !attempts_move(attempts, status))
            return attempts_end(attempts, status);
        if (!attempts_go_on(attempts, &timeout_ms))
            return busbar_last_status();
    }
    return attempts_give_up(attempts);
}

enum busbar_status pool_call(struct busbar_object *object, const struct busbar_object_call *call,
                             struct busbar_value **ret)
{
    struct attempts attempts = {.pool = pool_of(object), .call = call};
    if (call->timeout_ms != 0)
        attempts.deadline = clock_ms() + call->timeout_ms;
    pool_tried_init(&attempts.tried);
    enum busbar_status status = attempts_run(&attempts, ret);
    pool_tried_fini(&attempts.tried);
    free(attempts.text);
    return status;
}
