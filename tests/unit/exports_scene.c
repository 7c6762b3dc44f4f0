#include "tests/unit/exports_scene.h"

/* The object ----------------------------------------------------------------------------------- */

static enum busbar_status call_slow(struct probe_object *probe,
                                    const struct busbar_object_call *call)
{
    probe->running = true;
    while (probe->hold && !probe->cancelled) {
        probe->cancelled = call->cancelled(call->context);
        usleep(1000);
    }
    probe->running = false;
    return BUSBAR_OK;
}

static struct busbar_value *many_bytes(void)
{
    size_t size = 20u << 20;
    void *data = calloc(1, size);
    struct busbar_value *value = busbar_value_bytes(data, size);
    free(data);
    return value;
}

static struct busbar_value *first_argument(const struct busbar_object_call *call)
{
    const struct busbar_value *first = busbar_value_at(call->arguments, 0);
    return first == NULL ? busbar_value_null() : busbar_value_copy(first);
}

static enum busbar_status probe_call(void *context, const struct busbar_object_call *call,
                                     struct busbar_value **ret)
{
    struct probe_object *probe = context;
    probe->calls++;
    probe->timeout_ms = call->timeout_ms;
    if (strcmp(call->method, "slow") == 0)
        return call_slow(probe, call);
    if (strcmp(call->method, "fail") == 0)
        return busbar_fail(probe->status, probe->fate, "it %s", "failed");
    if (strcmp(call->method, "none") == 0)
        *ret = busbar_value_int64((int64_t)busbar_value_count(call->arguments));
    else if (strcmp(call->method, "many") == 0)
        *ret = many_bytes();
    else
        *ret = first_argument(call);
    return BUSBAR_OK;
}

static void put(struct busbar_value *map, const char *key, struct busbar_value *value)
{
    assert_int_equal(busbar_value_set(map, key, &value), BUSBAR_OK);
}

static struct busbar_value *probe_describe(void *context)
{
    static const char *const methods[][2] = {
        {"echo", "v>v"}, {"raw", "y>y"}, {"text", "s>s"}, {"none", ">l"}, {"anything", NULL},
        {"slow", ">"},   {"fail", ">"},  {"null", ">y"},  {"many", ">v"},
    };
    struct busbar_value *list = busbar_value_list();
    (void)context;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        struct busbar_value *map = busbar_value_map();
        put(map, "name", busbar_value_text(methods[i][0]));
        if (methods[i][1] != NULL)
            put(map, "signature", busbar_value_text(methods[i][1]));
        if (i == 0) {
            put(map, "idempotent", busbar_value_bool(true));
            put(map, "text", busbar_value_text("Says it again."));
        }
        assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    }
    return list;
}

static void probe_destroy(void *context)
{
    struct probe_object *probe = context;
    probe->destroyed++;
}

struct busbar_object *scene_object(struct scene *scene)
{
    static const struct busbar_object_class probe_class = {
        .kind = "probe",
        .call = probe_call,
        .describe = probe_describe,
        .destroy = probe_destroy,
    };
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_object_new(&object, &probe_class, &scene->probe), BUSBAR_OK);
    return object;
}

/* The scene ------------------------------------------------------------------------------------ */

static void open_client(struct scene *scene, const char *endpoint)
{
    const struct busbar_client_options options = {.broker = endpoint,
                                                  .timeout_ms = SCENE_PATIENCE_MS};
    assert_int_equal(busbar_client_new(&scene->client, &options), BUSBAR_OK);
}

int scene_open(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    unsetenv("BUSBAR_LOG");
    app_log_init(&scene->log);
    assert_true(app_log_set(&scene->log, NULL, "off"));
    if (embed_start(&scene->embed, &(struct embed_place){.endpoint = "tcp://127.0.0.1:*"},
                    &scene->log) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    assert_int_equal(exports_new(&scene->exports, &scene->log), BUSBAR_OK);
    const char *const brokers[] = {embed_endpoint(scene->embed), NULL};
    assert_int_equal(exports_set_brokers(scene->exports, brokers), BUSBAR_OK);
    open_client(scene, brokers[0]);
    *state = scene;
    return 0;
}

int scene_close(void **state)
{
    struct scene *scene = *state;
    exports_destroy(&scene->exports);
    busbar_client_destroy(&scene->client);
    embed_stop(&scene->embed);
    free(scene);
    return 0;
}

enum busbar_status scene_export(struct scene *scene, const struct export_settings *settings,
                                struct busbar_object *object)
{
    enum busbar_status status = exports_add(scene->exports, settings, object);
    busbar_object_destroy(&object);
    return status;
}

void scene_export_named(struct scene *scene, const char *name)
{
    const struct export_settings settings = {.name = (char *)(uintptr_t)name};
    if (scene_export(scene, &settings, scene_object(scene)) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
}

void scene_ready(struct scene *scene)
{
    if (exports_wait_ready(scene->exports, SCENE_PATIENCE_MS) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
}

struct busbar_reply *scene_call(struct scene *scene, const char *service, const char *method,
                                struct busbar_body body)
{
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = service, .method = method, .body = body};
    (void)!busbar_client_call(scene->client, &call, &reply);
    assert_non_null(reply);
    return reply;
}

enum busbar_status scene_try(struct scene *scene, const char *service, const char *method)
{
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, service, method, busbar_body_copied("", 0));
    return busbar_reply_status(reply);
}

uint64_t scene_counter(struct scene *scene, const char *name)
{
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, "bus", "stats", busbar_body_copied("", 0));
    CLEANUP(busbar_value_destroy) struct busbar_value *stats = NULL;
    assert_int_equal(busbar_reply_value(reply, &stats), BUSBAR_OK);
    assert_non_null(busbar_value_get(stats, name));
    return busbar_value_as_uint64(busbar_value_get(stats, name));
}
