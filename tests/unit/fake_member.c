#include "tests/unit/fake_member.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

enum {
    PATIENCE_MS = 10000,
};

atomic_int fake_members_alive;

static struct fake_member *member_of(struct busbar_object *object)
{
    return (struct fake_member *)object;
}

static enum busbar_status member_call(struct busbar_object *object,
                                      const struct busbar_object_call *call,
                                      struct busbar_value **ret)
{
    struct fake_member *member = member_of(object);
    void (*entered)(struct fake_member *) = member->entered;
    member->last_timeout_ms = call->timeout_ms;
    member->calls++;
    member->running++;
    if (entered != NULL)
        entered(member);
    if (member->delay_ms > 0)
        usleep(member->delay_ms * 1000);
    enum busbar_status status = (enum busbar_status)member->status;
    enum busbar_fate fate = (enum busbar_fate)member->fate;
    member->running--;
    if (status != BUSBAR_OK)
        return busbar_fail(status, fate, "%s: told to fail", object_name(object));
    *ret = busbar_value_text(object_name(object));
    return BUSBAR_OK;
}

static void member_destroy(struct busbar_object *object)
{
    object_fini(object);
    free(member_of(object));
    fake_members_alive--;
}

static enum busbar_status member_probe(struct busbar_object *object, uint32_t timeout_ms)
{
    struct fake_member *member = member_of(object);
    sigset_t blocked;
    (void)timeout_ms;
    member->probes++;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1))
        member->probe_takes_signals = true;
    if (member->probe_status != BUSBAR_OK)
        return busbar_fail((enum busbar_status)member->probe_status, BUSBAR_NOT_EXECUTED,
                           "%s: still out of reach", object_name(object));
    return BUSBAR_OK;
}

static bool member_find(struct busbar_object *object, const char *method, struct object_method *ret)
{
    const struct fake_member *member = member_of(object);
    if (member->method.name == NULL || strcmp(member->method.name, method) != 0)
        return false;
    *ret = member->method;
    return true;
}

static enum busbar_status member_describe(struct busbar_object *object, uint32_t timeout_ms,
                                          object_method_fn *each, void *context)
{
    const struct fake_member *member = member_of(object);
    (void)timeout_ms;
    if (member->describe_status != BUSBAR_OK)
        return busbar_fail((enum busbar_status)member->describe_status, BUSBAR_NOT_EXECUTED,
                           "%s: nobody tells", object_name(object));
    if (member->method.name != NULL)
        each(context, &member->method);
    return BUSBAR_OK;
}

static const struct object_class remote_class = {
    .kind = "fake",
    .call = member_call,
    .destroy = member_destroy,
    .describe = member_describe,
    .find = member_find,
    .probe = member_probe,
};

static const struct object_class local_class = {
    .kind = "local",
    .call = member_call,
    .destroy = member_destroy,
};

static struct fake_member *new_of(const struct object_class *class, const char *id)
{
    struct fake_member *member = calloc(1, sizeof *member);
    assert_non_null(member);
    assert_int_equal(object_init(&member->object, class), BUSBAR_OK);
    if (id != NULL)
        assert_true(object_set_id(&member->object, id));
    member->method.signature = "";
    member->method.text = "";
    fake_members_alive++;
    return member;
}

struct fake_member *fake_member_new(const char *id)
{
    return new_of(&remote_class, id);
}

struct fake_member *fake_member_local(const char *id)
{
    return new_of(&local_class, id);
}

void fake_member_unref(struct fake_member **member)
{
    struct busbar_object *object = &(*member)->object;
    busbar_object_destroy(&object);
    *member = NULL;
}

void fake_member_fail(struct fake_member *member, enum busbar_status status, enum busbar_fate fate)
{
    member->fate = fate;
    member->status = status;
}

void fake_member_down(struct fake_member *member)
{
    member->probe_status = BUSBAR_BROKER_LOST;
    fake_member_fail(member, BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED);
}

void fake_member_up(struct fake_member *member)
{
    member->status = BUSBAR_OK;
    member->probe_status = BUSBAR_OK;
}

struct busbar_object *fake_pool(uint32_t probe_ms, struct fake_member *const *members)
{
    struct busbar_object *objects[64];
    struct busbar_pool_options options = {.members = objects, .probe_ms = probe_ms};
    struct busbar_object *pool = NULL;
    for (; members[options.member_count] != NULL; options.member_count++)
        objects[options.member_count] = &members[options.member_count]->object;
    assert_int_equal(busbar_pool_new(&pool, &options), BUSBAR_OK);
    assert_true(object_set_id(pool, "all"));
    return pool;
}

enum busbar_status fake_call(struct busbar_object *pool, const char *method, char answered[32])
{
    struct busbar_value *value = NULL;
    const struct busbar_object_call call = {.method = method};
    enum busbar_status status = busbar_object_call(pool, &call, &value);
    const char *text = value == NULL ? NULL : busbar_value_as_text(value);
    if (answered != NULL)
        snprintf(answered, 32, "%s", text == NULL ? "" : text);
    busbar_value_destroy(&value);
    return status;
}

struct busbar_pool_stats fake_stats(struct busbar_object *pool)
{
    struct busbar_pool_stats stats;
    assert_int_equal(busbar_pool_stats(pool, &stats), BUSBAR_OK);
    return stats;
}

void fake_await_aside(struct busbar_object *pool, unsigned aside)
{
    uint64_t until = clock_ms() + PATIENCE_MS;
    while (fake_stats(pool).aside != aside) {
        assert_true(clock_ms() < until);
        usleep(1000);
    }
}
