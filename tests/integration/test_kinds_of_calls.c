/* Calls of every kind through a broker and a worker, from the command line and from C. */
#include <busbar/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/kit.h"

enum {
    PARTS = 300,
    WINDOW = 4,
    MANY = 200,
};

static struct kit_process *start_worker(struct kit *kit, const char *service)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/kinds_worker", service, NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

static struct kit_process *start_bus(struct kit *kit)
{
    kit_broker(kit, NULL);
    return start_worker(kit, "kinds");
}

static struct busbar_client *make_client(struct kit *kit)
{
    struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = kit->endpoint, .timeout_ms = 20000};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    return client;
}

static void what_the_command_line_asks_for_is_printed(void **state)
{
    static const struct {
        int code;
        const char *out;
        const char *err;
        const char *argv[12];
    } cases[] = {
        {0, "1\n2\n3\nend\n", "", {"busbar", "call", "--stream", "kinds", "count", "3"}},
        {0, "end\n", "", {"busbar", "call", "--stream", "kinds", "count", "0"}},
        {0,
         "done",
         "progress: 25.0 % a quarter\nprogress:\nprogress: 100.0 % all?of it\n",
         {"busbar", "call", "--progress", "kinds", "climb", ""}},
        {0, "nobody", "", {"busbar", "call", "kinds", "who", ""}},
        {0,
         "Ada=1",
         "",
         {"busbar", "call", "--meta", "x=", "--meta", "user=Ada=1", "--key", "k", "kinds", "who",
          ""}},
        {0, "", "", {"busbar", "call", "--oneway", "kinds", "note", ""}},
        {0, "noted", "", {"busbar", "call", "--idempotent", "--wait", "1", "kinds", "note", ""}},
        {1,
         "",
         "busbar: APP_ERROR (executed): no luck\nbusbar: reported by the handler; worker 1, ",
         {"busbar", "call", "kinds", "fail", ""}},
        {2, "", "there is no --stream", {"busbar", "call", "--oneway", "--stream", "a", "b"}},
        {2, "", "NAME=VALUE, not \"user\"", {"busbar", "call", "--meta", "user", "a", "b"}},
        {2, "", "NAME=VALUE, not \"=x\"", {"busbar", "call", "--meta", "=x", "a", "b"}},
        {3, "", "reported by the broker\n", {"busbar", "call", "nobody", "run"}},
    };
    struct kit *kit = *state;
    struct kit_process *worker = start_bus(kit);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct kit_command command = {.argv = cases[i].argv};
        struct kit_process *busbar = kit_run_command(kit, &command);
        KIT_CODE(busbar, cases[i].code);
        assert_string_equal(busbar->out, cases[i].out);
        if (cases[i].err[0] == '\0')
            assert_string_equal(busbar->err, "");
        KIT_CONTAINS(busbar->err, cases[i].err);
    }
    kit_wait_for_text(worker, "noted oneway", KIT_RUN_MS);
}

static void a_loss_tells_which_worker_had_the_call_and_how_long(void **state)
{
    struct kit *kit = *state;
    unsigned long long number = 0;
    unsigned ms = 0;
    struct kit_process *worker = start_bus(kit);
    worker->killed = true; /* by itself */
    struct kit_process *busbar = kit_run(kit, "busbar", "call", "kinds", "die", "", NULL);
    KIT_CODE(busbar, 5);
    KIT_CONTAINS(busbar->err, "WORKER_LOST (maybe executed): ");
    const char *told = strstr(busbar->err, "reported by the broker; worker ");
    assert_non_null(told);
    assert_int_equal(sscanf(told, "reported by the broker; worker %llu, %u ms", &number, &ms), 2);
    assert_true(number > 0);
    assert_true(ms >= 40);
}

static void a_call_that_waits_is_made_when_the_service_comes(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *busbar = kit_start(kit, "busbar", "call", "--body", "/dev/null", "--wait",
                                           "20", "late", "note", NULL);
    KIT_EVENTUALLY(kit_counter(kit, "calls_received") == 1, 10000);
    assert_true(kit_is_running(busbar));
    start_worker(kit, "late");
    assert_int_equal(kit_wait(busbar, KIT_RUN_MS), 0);
    kit_read(busbar);
    assert_string_equal(busbar->out, "noted");
}

static void the_next_broker_of_a_list_is_called(void **state)
{
    struct kit *kit = *state;
    char list[300];
    start_bus(kit);
    snprintf(list, sizeof list, "ipc:///nonexistent/bus, %s", kit->endpoint);
    struct kit_process *busbar = kit_run(kit, "busbar", "--broker", list, "call", "kinds", "who",
                                         "", NULL);
    KIT_CODE(busbar, 0);
    assert_string_equal(busbar->out, "nobody");
}

/* The client keeps what it has and reads no more: the sender must stop, and only it. */
static void a_slow_reader_stops_the_sender_and_nobody_else(void **state)
{
    struct kit *kit = *state;
    struct kit_process *worker = start_bus(kit);
    struct busbar_client *client = make_client(kit);
    struct busbar_reply *kept = NULL;
    char line[32];
    const struct busbar_call call = {.service = "kinds",
                                     .method = "count",
                                     .body = busbar_body_text("300"),
                                     .flags = BUSBAR_STREAM,
                                     .window = WINDOW};
    start_worker(kit, "other");
    assert_int_equal(busbar_client_start(client, &call, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_wait(client, KIT_RUN_MS, &kept), BUSBAR_OK);
    kit_wait_for_text(worker, "sent 4\n", KIT_RUN_MS);
    KIT_CODE(kit_run(kit, "busbar", "call", "other", "note", "", NULL), 0);
    kit_read(worker);
    assert_false(kit_has_said(worker, "sent 5\n"));
    for (unsigned i = 1; i <= PARTS; i++) {
        assert_true(busbar_reply_is_part(kept));
        snprintf(line, sizeof line, "%u\n", i);
        assert_int_equal(busbar_reply_size(kept), strlen(line));
        assert_memory_equal(busbar_reply_data(kept), line, strlen(line));
        busbar_reply_destroy(&kept);
        assert_int_equal(busbar_client_wait(client, KIT_RUN_MS, &kept), BUSBAR_OK);
    }
    assert_false(busbar_reply_is_part(kept));
    assert_int_equal(busbar_reply_status(kept), BUSBAR_OK);
    busbar_reply_destroy(&kept);
    busbar_client_destroy(&client);
}

/* A handler in the middle of its parts learns that nobody wants them. */
static void the_end_of_a_reader_ends_the_sender(void **state)
{
    struct kit *kit = *state;
    struct kit_process *worker = start_bus(kit);
    struct busbar_client *client = make_client(kit);
    struct busbar_reply *part = NULL;
    const struct busbar_call call = {.service = "kinds",
                                     .method = "count",
                                     .body = busbar_body_text("300"),
                                     .flags = BUSBAR_STREAM};
    assert_int_equal(busbar_client_start(client, &call, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_wait(client, KIT_RUN_MS, &part), BUSBAR_OK);
    busbar_client_destroy(&client);
    kit_wait_for_text(worker, "stopped", KIT_RUN_MS);
    busbar_reply_destroy(&part);
}

static void many_calls_made_together_have_an_outcome_each(void **state)
{
    struct kit *kit = *state;
    static struct busbar_call calls[MANY];
    static struct busbar_reply *replies[MANY];
    static const char *const pairs[] = {"user", "bob", NULL};
    start_bus(kit);
    struct busbar_client *client = make_client(kit);
    for (size_t i = 0; i < MANY; i++)
        calls[i] = (struct busbar_call){.service = i == 7 ? "nobody" : "kinds",
                                        .method = "who",
                                        .metadata = i % 2 == 0 ? pairs : NULL};
    assert_int_equal(busbar_client_call_many(client, calls, MANY, replies), BUSBAR_NO_SERVICE);
    for (size_t i = 0; i < MANY; i++) {
        const char *who = i % 2 == 0 ? "bob" : "nobody";
        assert_int_equal(busbar_reply_status(replies[i]), i == 7 ? BUSBAR_NO_SERVICE : BUSBAR_OK);
        if (i != 7) {
            assert_memory_equal(busbar_reply_data(replies[i]), who, strlen(who));
            assert_non_null(busbar_reply_metadata(replies[i], "pid"));
            assert_int_equal(busbar_reply_source(replies[i]), BUSBAR_BY_HANDLER);
        }
        busbar_reply_destroy(&replies[i]);
    }
    busbar_client_destroy(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_the_command_line_asks_for_is_printed),
        KIT_TEST(a_loss_tells_which_worker_had_the_call_and_how_long),
        KIT_TEST(a_call_that_waits_is_made_when_the_service_comes),
        KIT_TEST(the_next_broker_of_a_list_is_called),
        KIT_TEST(a_slow_reader_stops_the_sender_and_nobody_else),
        KIT_TEST(the_end_of_a_reader_ends_the_sender),
        KIT_TEST(many_calls_made_together_have_an_outcome_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
