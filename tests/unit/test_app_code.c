/* Applications made by code: the twin of each setting of a file, and what is refused. */
#include <busbar/app.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/app_rig.h"

static const char twin_text[] =
    "broker: [tcp://127.0.0.1:7701, tcp://127.0.0.1:7702]\n"
    "objects:\n"
    "  all:\n"
    "    pool: {members: [near, far], probe: 100ms, idempotent: f}\n"
    "  near:\n"
    "    library: libm.so.6\n"
    "    functions:\n"
    "      f: {symbol: ceil, signature: \"d>d\", idempotent: true, text: upwards}\n"
    "      pow: \"dd>d\"\n"
    "  far:\n"
    "    proxy:\n"
    "      service: Far\n"
    "      broker: tcp://127.0.0.1:7703\n"
    "      timeout: 2s\n"
    "      retries: 3\n"
    "      idempotent: [g, h]\n"
    "    functions: {f: \"d>d\"}\n"
    "  words:\n"
    "    command: [/usr/bin/wc, -w]\n"
    "    environment: {LC_ALL: C, X: \"\"}\n"
    "    directory: /tmp\n"
    "    timeout: 5s\n"
    "    concurrency: 4\n"
    "    output_limit: 1 MiB\n"
    "    functions: {count: {signature: \"s>s\", arguments: [-], idempotent: true}}\n"
    "exports:\n"
    "  - {name: All, object: all, version: \"1.0\", tags: {zone: a, rack: \"7\"}, instances: 2,\n"
    "     threads: 3, credit: 4, weight: 250, balance: sticky, stall: 90s}\n"
    "  - {name: words, object: words}\n"
    "log: {level: info, objects: debug}\n";

static struct busbar_object *near_new(void)
{
    static const struct busbar_function functions[] = {
        {.name = "f",
         .symbol = "ceil",
         .signature = "d>d",
         .text = "upwards",
         .flags = BUSBAR_IDEMPOTENT},
        {.name = "pow", .signature = "dd>d"},
    };
    const struct busbar_library_options options = {"libm.so.6", functions, 2, {NULL}};
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_library_new(&object, &options), BUSBAR_OK);
    return object;
}

static struct busbar_object *far_new(void)
{
    static const struct busbar_function functions[] = {{.name = "f", .signature = "d>d"}};
    static const char *const brokers[] = {"tcp://127.0.0.1:7703", NULL};
    static const char *const idempotent[] = {"g", "h", NULL};
    const struct busbar_proxy_options options = {
        .service = "Far",
        .brokers = brokers,
        .timeout_ms = 2000,
        .retries = 3,
        .idempotent = idempotent,
        .functions = functions,
        .function_count = 1,
    };
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_proxy_new(&object, &options), BUSBAR_OK);
    return object;
}

static struct busbar_object *words_new(void)
{
    static const char *const words[] = {"/usr/bin/wc", "-w", NULL};
    static const char *const environment[] = {"LC_ALL", "C", "X", "", NULL};
    static const char *const arguments[] = {"-", NULL};
    static const struct busbar_function functions[] = {
        {.name = "count", .signature = "s>s", .arguments = arguments, .flags = BUSBAR_IDEMPOTENT}};
    const struct busbar_command_options options = {
        .words = words,
        .environment = environment,
        .directory = "/tmp",
        .timeout_ms = 5000,
        .concurrency = 4,
        .output_limit = 1 << 20,
        .functions = functions,
        .function_count = 1,
    };
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_command_new(&object, &options), BUSBAR_OK);
    return object;
}

static struct busbar_object *all_new(struct busbar_object *near, struct busbar_object *far)
{
    static const char *const idempotent[] = {"f", NULL};
    struct busbar_object *const members[] = {near, far};
    const struct busbar_pool_options options = {members, 2, 100, idempotent, {NULL}};
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_pool_new(&object, &options), BUSBAR_OK);
    return object;
}

static void add(struct busbar_app *app, const char *id, struct busbar_object *object)
{
    assert_int_equal(busbar_app_add(app, id, object), BUSBAR_OK);
    busbar_object_destroy(&object);
}

static struct busbar_app *twin_new(void)
{
    static const char *const brokers[] = {"tcp://127.0.0.1:7701", "tcp://127.0.0.1:7702", NULL};
    static const char *const tags[] = {"zone", "a", "rack", "7", NULL};
    const struct busbar_export all = {.name = "All",
                                      .object = "all",
                                      .version = "1.0",
                                      .tags = tags,
                                      .instances = 2,
                                      .threads = 3,
                                      .credit = 4,
                                      .weight = 250,
                                      .balance = "sticky",
                                      .stall_ms = 90000};
    const struct busbar_export words = {.name = "words", .object = "words"};
    struct busbar_app *app = NULL;
    struct busbar_object *near = near_new();
    struct busbar_object *far = far_new();
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_app_set_brokers(app, brokers), BUSBAR_OK);
    add(app, "all", all_new(near, far));
    add(app, "near", near);
    add(app, "far", far);
    add(app, "words", words_new());
    assert_int_equal(busbar_app_export(app, &all), BUSBAR_OK);
    assert_int_equal(busbar_app_export(app, &words), BUSBAR_OK);
    assert_int_equal(busbar_app_set_log(app, NULL, "info"), BUSBAR_OK);
    assert_int_equal(busbar_app_set_log(app, "objects", "debug"), BUSBAR_OK);
    return app;
}

static void promise_16_file_and_code_make_the_same_application(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *by_code = twin_new();
    rig_capture();
    CLEANUP(busbar_app_destroy) struct busbar_app *by_file = rig_read(twin_text);
    CLEANUP(cleanup_free) char *code = rig_dump(by_code);
    CLEANUP(cleanup_free) char *file = rig_dump(by_file);
    CLEANUP(busbar_app_destroy) struct busbar_app *by_dump = rig_read(code);
    CLEANUP(cleanup_free) char *log = rig_captured();
    CLEANUP(cleanup_free) char *dump = rig_dump(by_dump);
    assert_non_null(log);
    assert_string_equal(file, code);
    assert_string_equal(dump, code);
}

static void an_embedded_broker_has_its_twin(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *by_file = rig_read("broker: {embed: \"tcp://127.0.0.1:*\"}\nlog: debug\n");
    CLEANUP(busbar_app_destroy) struct busbar_app *by_code = NULL;
    assert_int_equal(busbar_app_new(&by_code), BUSBAR_OK);
    assert_int_equal(busbar_app_embed(by_code, "tcp://127.0.0.1:*"), BUSBAR_OK);
    assert_int_equal(busbar_app_set_log(by_code, NULL, "debug"), BUSBAR_OK);
    CLEANUP(cleanup_free) char *code = rig_dump(by_code);
    CLEANUP(cleanup_free) char *file = rig_dump(by_file);
    assert_string_equal(file, code);
}

static void an_embedded_broker_for_other_machines_has_its_twin(void **state)
{
    (void)state;
    const struct busbar_embed_options options = {.endpoint = "tcp://0.0.0.0:*",
                                                 .allow_plaintext = true};
    rig_capture();
    CLEANUP(busbar_app_destroy)
    struct busbar_app *by_file = rig_read(
        "broker: {embed: \"tcp://0.0.0.0:*\", allow_plaintext: true}\n");
    CLEANUP(busbar_app_destroy) struct busbar_app *by_code = NULL;
    assert_int_equal(busbar_app_new(&by_code), BUSBAR_OK);
    assert_int_equal(busbar_app_embed_with(by_code, &options), BUSBAR_OK);
    CLEANUP(cleanup_free) char *code = rig_dump(by_code);
    CLEANUP(cleanup_free) char *file = rig_dump(by_file);
    enum busbar_status status = busbar_app_start(by_code);
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_int_equal(status, BUSBAR_OK);
    assert_string_equal(file, code);
    assert_non_null(strstr(log, " warning broker plaintext_endpoint endpoint=tcp://0.0.0.0:"));
}

static enum busbar_status own_call(void *context, const struct busbar_object_call *call,
                                   struct busbar_value **ret)
{
    (void)context;
    (void)call;
    *ret = busbar_value_bool(true);
    return BUSBAR_OK;
}

static void what_code_alone_can_make_is_a_comment_in_a_dump(void **state)
{
    (void)state;
    static const struct busbar_object_class own = {.kind = "own", .call = own_call};
    struct busbar_object *object = NULL;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_object_new(&object, &own, NULL), BUSBAR_OK);
    add(app, "mine", object);
    CLEANUP(cleanup_free) char *dump = rig_dump(app);
    assert_non_null(strstr(dump, "  # mine: a own, made by code\n"));
}

/* What is refused, and in which words ---------------------------------------------------------- */

static void assert_refused(enum busbar_status status, enum busbar_status expected, const char *text)
{
    assert_int_equal(status, expected);
    assert_int_equal(busbar_last_status(), expected);
    if (strstr(busbar_last_error(), text) == NULL)
        fail_msg("%s\nis not in\n%s", text, busbar_last_error());
}

static void ids_are_checked_and_given_once(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    CLEANUP(busbar_object_destroy) struct busbar_object *one = near_new();
    CLEANUP(busbar_object_destroy) struct busbar_object *other = near_new();
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_refused(busbar_app_add(app, "a b", one), BUSBAR_BAD_ARGUMENT, "not \"a b\"");
    assert_refused(busbar_app_add(app, "", one), BUSBAR_BAD_ARGUMENT, "not \"\"");
    assert_refused(busbar_app_add(app, "1", one), BUSBAR_BAD_ARGUMENT, "not \"1\"");
    assert_refused(busbar_app_add(app, NULL, one), BUSBAR_BAD_ARGUMENT, "an id");
    assert_refused(busbar_app_add(app, "a", NULL), BUSBAR_BAD_ARGUMENT, "an object");
    assert_refused(busbar_app_add(NULL, "a", one), BUSBAR_BAD_ARGUMENT, "an application");
    assert_int_equal(busbar_app_add(app, "a", one), BUSBAR_OK);
    assert_refused(busbar_app_add(app, "a", other), BUSBAR_CONFLICT, "\"a\" already");
    assert_refused(busbar_app_add(app, "b", one), BUSBAR_BAD_ARGUMENT, "an id already, \"a\"");
    assert_ptr_equal(busbar_app_object(app, "a"), one);
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
}

static void exports_are_checked(void **state)
{
    (void)state;
    static const char *const odd[] = {"name", NULL};
    static const char *const twice[] = {"a", "1", "a", "2", NULL};
    static const char *const nameless[] = {"", "1", NULL};
    static const struct {
        struct busbar_export export_;
        const char *text;
    } cases[] = {
        {{.name = NULL, .object = "a"}, "a name"},
        {{.name = "n"}, "the id of an object"},
        {{.name = "n", .object = "b"}, "no object has the id \"b\"; known are a"},
        {{.name = "n!", .object = "a"}, "not \"n!\""},
        {{.name = "bus", .object = "a"}, "keep for itself"},
        {{.name = "n", .object = "a", .tags = odd}, "pairs"},
        {{.name = "n", .object = "a", .tags = twice}, "the tag \"a\" is there twice"},
        {{.name = "n", .object = "a", .tags = nameless}, "name and value of the tag \"\""},
        {{.name = "n", .object = "a", .instances = 1001},
         "instances of an export must be at most 1000"},
        {{.name = "n", .object = "a", .threads = 1025},
         "threads of an export must be at most 1024"},
        {{.name = "n", .object = "a", .credit = 65537},
         "credit of an export must be at most 65536"},
        {{.name = "n", .object = "a", .weight = 10001},
         "weight of an export must be at most 10000"},
        {{.name = "n", .object = "a", .stall_ms = 86400001},
         "stall of an export must be at most 86400000"},
        {{.name = "n", .object = "a", .balance = "fair"},
         "balance of an export must be least_loaded, round_robin, random or sticky"},
        {{.name = "n", .object = "a", .reserved = {(void *)odd}}, "reserved"},
    };
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    const struct busbar_export good = {.name = "n", .object = "a"};
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    add(app, "a", near_new());
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_refused(busbar_app_export(app, &cases[i].export_), BUSBAR_BAD_ARGUMENT,
                       cases[i].text);
    assert_int_equal(busbar_app_export(app, &good), BUSBAR_OK);
    assert_refused(busbar_app_export(app, &good), BUSBAR_CONFLICT, "\"n\" is exported already");
    assert_int_equal(busbar_app_unexport(app, "n"), BUSBAR_OK);
    assert_refused(busbar_app_unexport(app, "n"), BUSBAR_NO_SERVICE, "\"n\" is not exported");
    assert_int_equal(busbar_app_export(app, &good), BUSBAR_OK);
}

static void an_export_that_would_call_itself_is_refused(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    const struct busbar_proxy_options options = {.service = "n"};
    const struct busbar_export export_ = {.name = "n", .object = "a"};
    struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    add(app, "a", proxy);
    assert_refused(busbar_app_export(app, &export_), BUSBAR_BAD_ARGUMENT,
                   "the export would call itself for ever: \"n\" -> a -> \"n\"");
    assert_refused(busbar_app_unexport(app, "n"), BUSBAR_NO_SERVICE, "\"n\"");
}

static void brokers_and_levels_are_checked(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const wrong[] = {"tcp://a:1", "b", NULL};
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_refused(busbar_app_set_brokers(app, none), BUSBAR_BAD_ARGUMENT, "at least one");
    assert_refused(busbar_app_set_brokers(app, NULL), BUSBAR_BAD_ARGUMENT, "at least one");
    assert_refused(busbar_app_set_brokers(app, wrong), BUSBAR_BAD_ARGUMENT, "not \"b\"");
    assert_refused(busbar_app_embed(app, "here"), BUSBAR_BAD_ARGUMENT, "not \"here\"");
    assert_refused(busbar_app_embed(app, NULL), BUSBAR_BAD_ARGUMENT, "an endpoint");
    assert_refused(busbar_app_embed(app, "tcp://0.0.0.0:*"), BUSBAR_BAD_ARGUMENT,
                   "other machines could connect to \"tcp://0.0.0.0:*\"");
    assert_refused(busbar_app_embed_with(app, NULL), BUSBAR_BAD_ARGUMENT, "an endpoint");
    assert_refused(busbar_app_set_log(app, NULL, "loud"), BUSBAR_BAD_ARGUMENT, "not \"loud\"");
    assert_refused(busbar_app_set_log(app, "x", "debug"), BUSBAR_BAD_ARGUMENT, "not \"x\"");
    assert_refused(busbar_app_set_log(app, "pools", NULL), BUSBAR_BAD_ARGUMENT, "a level");
    assert_string_equal(busbar_app_broker(app), BUSBAR_DEFAULT_BROKER);
}

/* Promise 6. */
static void what_was_not_started_says_so(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_refused(busbar_app_run(app), BUSBAR_BAD_ARGUMENT, "was not started");
    assert_refused(busbar_app_reload(app), BUSBAR_BAD_ARGUMENT, "not from a file");
    assert_int_equal(busbar_app_start(app), BUSBAR_OK);
    assert_refused(busbar_app_start(app), BUSBAR_BAD_ARGUMENT, "started already");
    assert_refused(busbar_app_embed(app, "tcp://127.0.0.1:*"), BUSBAR_BAD_ARGUMENT, "before");
}

static void null_is_refused_everywhere(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    assert_refused(busbar_app_load(NULL, "f"), BUSBAR_BAD_ARGUMENT, "a place");
    assert_refused(busbar_app_load(&app, NULL), BUSBAR_BAD_ARGUMENT, "a file");
    assert_refused(busbar_app_new(NULL), BUSBAR_BAD_ARGUMENT, "a place");
    assert_refused(busbar_app_start(NULL), BUSBAR_BAD_ARGUMENT, "an application");
    assert_refused(busbar_app_run(NULL), BUSBAR_BAD_ARGUMENT, "was not started");
    assert_refused(busbar_app_reload(NULL), BUSBAR_BAD_ARGUMENT, "an application");
    assert_refused(busbar_app_export(NULL, NULL), BUSBAR_BAD_ARGUMENT, "an application");
    assert_refused(busbar_app_unexport(NULL, "a"), BUSBAR_BAD_ARGUMENT, "an application");
    assert_null(busbar_app_object(NULL, "a"));
    busbar_app_stop(NULL);
    busbar_app_dump(NULL, stdout);
    busbar_app_destroy(NULL);
    busbar_app_destroy(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(promise_16_file_and_code_make_the_same_application),
        TEST(an_embedded_broker_has_its_twin),
        TEST(an_embedded_broker_for_other_machines_has_its_twin),
        TEST(what_code_alone_can_make_is_a_comment_in_a_dump),
        TEST(ids_are_checked_and_given_once),
        TEST(exports_are_checked),
        TEST(an_export_that_would_call_itself_is_refused),
        TEST(brokers_and_levels_are_checked),
        TEST(what_was_not_started_says_so),
        TEST(null_is_refused_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
