/* The broker as a library: made from options, run on a thread, stopped before and while it runs. */
#include <busbar/broker.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>
#include <cmocka.h>

#include "base/cleanup.h"

enum {
    EVENTS_SIZE = 4096,
};

/* What the log was told; one thread at a time writes it. */
struct events {
    char text[EVENTS_SIZE];
};

static void on_event(void *context, const char *level, const char *event, const char *fields)
{
    struct events *events = context;
    size_t used = strlen(events->text);
    snprintf(events->text + used, sizeof events->text - used, "%s %s %s\n", level, event, fields);
}

static void *run(void *argument)
{
    static const char failed[] = "failed";
    return busbar_broker_run(argument) == BUSBAR_OK ? NULL : (void *)(uintptr_t)failed;
}

static struct busbar_broker *broker_at(const char *endpoint, struct events *events)
{
    struct busbar_broker *broker = NULL;
    char error[200] = "untouched";
    const struct busbar_broker_options options = {
        .endpoint = endpoint, .log = events == NULL ? NULL : on_event, .context = events};
    if (busbar_broker_new(&broker, &options, error, sizeof error) != BUSBAR_OK)
        fail_msg("%s", error);
    assert_string_equal(error, "");
    return broker;
}

/* The first bytes that a broker says to a new connection; what follows is tested with busbard. */
static bool greets(const char *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned char greeting = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    ssize_t size = read(fd, &greeting, sizeof greeting);
    close(fd);
    return size == 1 && greeting == 0xff;
}

static void clients_are_served_from_the_moment_it_is_made(void **state)
{
    struct events events = {{0}};
    struct busbar_broker *broker = broker_at("tcp://127.0.0.1:*", &events);
    pthread_t thread;
    void *failed = NULL;
    (void)state;
    assert_null(strchr(busbar_broker_endpoint(broker), '*'));
    assert_int_equal(pthread_create(&thread, NULL, run, broker), 0);
    assert_true(greets(busbar_broker_endpoint(broker)));
    busbar_broker_stop(broker);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    busbar_broker_destroy(&broker);
    assert_null(broker);
    busbar_broker_destroy(&broker);
}

static void events_are_told_with_words_for_their_levels(void **state)
{
    struct events events = {{0}};
    char ready[200];
    struct busbar_broker *broker = broker_at("tcp://127.0.0.1:*", &events);
    (void)state;
    snprintf(ready, sizeof ready, "info broker_ready endpoint=%s\n",
             busbar_broker_endpoint(broker));
    assert_string_equal(events.text, ready);
    busbar_broker_stop(broker);
    assert_int_equal(busbar_broker_run(broker), BUSBAR_OK);
    assert_non_null(strstr(events.text, "info broker_draining "));
    assert_non_null(strstr(events.text, "info broker_stopped "));
    busbar_broker_destroy(&broker);
}

static void stop_before_run_makes_run_return(void **state)
{
    struct busbar_broker *broker = broker_at("tcp://127.0.0.1:*", NULL);
    (void)state;
    busbar_broker_stop(broker);
    busbar_broker_stop(broker);
    assert_int_equal(busbar_broker_run(broker), BUSBAR_OK);
    busbar_broker_destroy(&broker);
}

static void a_broker_that_never_ran_is_freed(void **state)
{
    struct busbar_broker *broker = broker_at("tcp://127.0.0.1:*", NULL);
    (void)state;
    busbar_broker_destroy(&broker);
}

static void the_file_of_an_ipc_endpoint_goes_with_the_broker(void **state)
{
    char directory[] = "/tmp/busbar-XXXXXX";
    char endpoint[64];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/bus", directory);
    struct busbar_broker *broker = broker_at(endpoint, NULL);
    assert_string_equal(busbar_broker_endpoint(broker), endpoint);
    assert_int_equal(access(endpoint + strlen("ipc://"), F_OK), 0);
    busbar_broker_destroy(&broker);
    assert_int_equal(rmdir(directory), 0);
}

static void wrong_options_are_refused_with_a_text(void **state)
{
    static char something[1];
    static const struct {
        struct busbar_broker_options options;
        const char *error;
    } rows[] = {
        {{.endpoint = NULL}, "the endpoint must be tcp://HOST:PORT or ipc://PATH, not \"\""},
        {{.endpoint = "here"}, "not \"here\""},
        {{.endpoint = "tcp://127.0.0.1"}, "not \"tcp://127.0.0.1\""},
        {{.endpoint = "tcp://127.0.0.1:99999"}, "a port from 1 to 65535"},
        {{.endpoint = "inproc://bus"}, "the endpoint must be tcp://HOST:PORT or ipc://PATH"},
        {{.endpoint = "tcp://0.0.0.0:7766"}, "other machines could connect"},
        {{.endpoint = "tcp://127.0.0.1:*", .reserved = {something}}, "a reserved member"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct busbar_broker *broker = NULL;
        char error[300] = "";
        assert_int_equal(busbar_broker_new(&broker, &rows[i].options, error, sizeof error),
                         BUSBAR_BAD_ARGUMENT);
        assert_null(broker);
        if (strstr(error, rows[i].error) == NULL)
            fail_msg("row %zu: %s", i, error);
    }
}

static void an_endpoint_in_use_is_an_error_that_names_it(void **state)
{
    struct busbar_broker *first = broker_at("tcp://127.0.0.1:*", NULL);
    struct busbar_broker *second = NULL;
    const struct busbar_broker_options options = {.endpoint = busbar_broker_endpoint(first)};
    char error[300] = "";
    (void)state;
    assert_int_equal(busbar_broker_new(&second, &options, error, sizeof error), BUSBAR_SYSTEM);
    assert_null(second);
    assert_non_null(strstr(error, options.endpoint));
    assert_non_null(strstr(error, "in use"));
    /* Whoever does not read errors gives no place for them. */
    assert_int_equal(busbar_broker_new(&second, &options, NULL, 0), BUSBAR_SYSTEM);
    busbar_broker_destroy(&first);
}

static void open_endpoints_are_bound_if_that_is_asked_for(void **state)
{
    struct events events = {{0}};
    struct busbar_broker *broker = NULL;
    const struct busbar_broker_options options = {.endpoint = "tcp://0.0.0.0:*",
                                                  .allow_plaintext = true,
                                                  .log = on_event,
                                                  .context = &events};
    char error[300];
    (void)state;
    assert_int_equal(busbar_broker_new(&broker, &options, error, sizeof error), BUSBAR_OK);
    assert_non_null(strstr(events.text, "warning plaintext_endpoint endpoint=tcp://0.0.0.0:"));
    busbar_broker_destroy(&broker);
}

/* A DEALER with the routing id, or with none if its size is 0. */
static void *dealer(void *context, const char *endpoint, const void *id, size_t size)
{
    int none = 0;
    void *socket = zmq_socket(context, ZMQ_DEALER);
    assert_non_null(socket);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none), 0);
    if (size > 0)
        assert_int_equal(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, size), 0);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}

static bool is_answered_by_mmi(void *socket)
{
    static const char *const FRAMES[] = {"", "MDPC01", "mmi.service", "nobody"};
    int wait = 5000;
    char reply[16];
    assert_int_equal(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait, sizeof wait), 0);
    for (size_t i = 0; i < ARRAY_SIZE(FRAMES); i++)
        zmq_send(socket, FRAMES[i], strlen(FRAMES[i]),
                 i + 1 < ARRAY_SIZE(FRAMES) ? ZMQ_SNDMORE : 0);
    return zmq_recv(socket, reply, sizeof reply, 0) == 0;
}

/*
 * libzmq draws the first routing id that it gives from rand(), gives the following ones in turn, and
 * aborts the process when it meets one that a peer has chosen for itself. In a program that never
 * calls srand() the first would always be the same.
 */
static void routing_ids_cannot_be_guessed(void **state)
{
    static const char FIRST_OF_RAND[] = {0, 0x6b, (char)0x8b, 0x45, 0x67};
    struct busbar_broker *broker;
    pthread_t thread;
    void *context = zmq_ctx_new();
    void *chosen[16];
    (void)state;
    srandom(1);
    broker = broker_at("tcp://127.0.0.1:*", NULL);
    assert_int_equal(pthread_create(&thread, NULL, run, broker), 0);
    for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
        char id[sizeof FIRST_OF_RAND];
        memcpy(id, FIRST_OF_RAND, sizeof id);
        id[4] = (char)(id[4] + i + 2);
        chosen[i] = dealer(context, busbar_broker_endpoint(broker), id, sizeof id);
        assert_true(is_answered_by_mmi(chosen[i]));
    }
    for (size_t i = 0; i < 2 * ARRAY_SIZE(chosen); i++) {
        void *socket = dealer(context, busbar_broker_endpoint(broker), NULL, 0);
        assert_true(is_answered_by_mmi(socket));
        zmq_close(socket);
    }
    for (size_t i = 0; i < ARRAY_SIZE(chosen); i++)
        zmq_close(chosen[i]);
    busbar_broker_stop(broker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    busbar_broker_destroy(&broker);
    zmq_ctx_term(context);
}

static void the_programs_own_random_numbers_are_left_alone(void **state)
{
    (void)state;
    srandom(7);
    long first = random();
    long second = random();
    srandom(7);
    assert_int_equal(random(), first);
    struct busbar_broker *broker = broker_at("tcp://127.0.0.1:*", NULL);
    assert_int_equal(random(), second);
    busbar_broker_destroy(&broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_served_from_the_moment_it_is_made),
        cmocka_unit_test(events_are_told_with_words_for_their_levels),
        cmocka_unit_test(stop_before_run_makes_run_return),
        cmocka_unit_test(a_broker_that_never_ran_is_freed),
        cmocka_unit_test(the_file_of_an_ipc_endpoint_goes_with_the_broker),
        cmocka_unit_test(wrong_options_are_refused_with_a_text),
        cmocka_unit_test(an_endpoint_in_use_is_an_error_that_names_it),
        cmocka_unit_test(open_endpoints_are_bound_if_that_is_asked_for),
        cmocka_unit_test(routing_ids_cannot_be_guessed),
        cmocka_unit_test(the_programs_own_random_numbers_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
