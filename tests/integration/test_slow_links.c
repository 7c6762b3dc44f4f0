/* Links that are slow and not dead: what takes long to come over them comes all the same. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kit/calls.h"

enum {
    PIECE = 16 * 1024, /* passed on at once */
    PAUSE_MS = 10,     /* after each of them: 1.6 MB a second */
};

/* Between one client and the broker: what the broker sends goes on slowly. */
struct relay {
    int listener;
    int broker;
    atomic_bool stop;
    pthread_t thread;
};

static int loopback(uint16_t port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return fd;
}

static bool pass_on(int from, int to)
{
    static char piece[PIECE];
    ssize_t size = read(from, piece, sizeof piece);
    return size > 0 && write(to, piece, (size_t)size) == size;
}

static void *relay_run(void *argument)
{
    struct relay *relay = argument;
    int client = accept(relay->listener, NULL, NULL);
    struct pollfd fds[] = {{.fd = client, .events = POLLIN},
                           {.fd = relay->broker, .events = POLLIN}};
    bool open = client >= 0;
    while (open && !relay->stop) {
        if (poll(fds, 2, PAUSE_MS) <= 0)
            continue;
        if (fds[0].revents != 0)
            open = pass_on(client, relay->broker);
        if (open && fds[1].revents != 0) {
            open = pass_on(relay->broker, client);
            kit_sleep_ms(PAUSE_MS);
        }
    }
    close(client);
    return NULL;
}

/* The relay takes the broker's place in the kit. */
static void relay_start(struct relay *relay, struct kit *kit)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    uint16_t port = (uint16_t)strtoul(strrchr(kit->endpoint, ':') + 1, NULL, 10);
    *relay = (struct relay){.broker = loopback(port, &address)};
    assert_int_equal(connect(relay->broker, (struct sockaddr *)&address, size), 0);
    relay->listener = loopback(0, &address);
    assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(relay->listener, 1), 0);
    assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(strrchr(kit->endpoint, ':') + 1, 6, "%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
}

static void relay_stop(struct relay *relay)
{
    relay->stop = true;
    shutdown(relay->listener, SHUT_RDWR);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    close(relay->broker);
}

static void a_result_that_comes_slowly_is_no_sign_of_a_dead_broker(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    struct relay relay;
    kit_broker(kit, "--config",
               kit_file(kit, "brisk.yaml", "heartbeat: {interval: 100ms, liveness: 2}\n"), NULL);
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    relay_start(&relay, kit);
    kit_calls_init(&calls, kit, 1);
    kit_calls_start_body(&calls, "large", "2000000");
    kit_calls_finish(&calls, kit_time(20000));
    assert_string_equal(calls.outcomes[0].error, "");
    assert_int_equal(calls.outcomes[0].status, BUSBAR_OK);
    kit_calls_fini(&calls);
    relay_stop(&relay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_result_that_comes_slowly_is_no_sign_of_a_dead_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
