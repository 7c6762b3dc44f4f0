/* How many connections a check looks at, with a real one whose bytes never come to a message. */
#include "broker/intake.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    HIGH_FD = 900,            /* so that the table has 1024 rows, two checks' worth */
    PILE = 9 * 1024 * 1024,   /* more than a connection may be ahead, where bodies have 0 bytes */
    MUCH = 64 * 1024 * 1024,  /* more memory than a test needs */
    MORE = 256 * 1024 * 1024, /* and more than that */
};

struct scene {
    struct intake intake;
    int sender;
};

static void connect_to_high_fd(struct scene *scene)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    scene->sender = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(scene->sender, (struct sockaddr *)&address, size), 0);
    int accepted = accept(listener, NULL, NULL);
    assert_int_equal(dup2(accepted, HIGH_FD), HIGH_FD);
    close(accepted);
    close(listener);
}

/* For a moment: malloc may keep what is freed. */
static void need_memory(size_t size)
{
    volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                 -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
    munmap((void *)(uintptr_t)memory, size);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    connect_to_high_fd(scene);
    intake_init(&scene->intake, 0, HIGH_FD + 1);
    assert_true(intake_open(&scene->intake, HIGH_FD));
    need_memory(MUCH); /* from here on it does not grow unless it is made to */
    assert_int_equal(intake_check(&scene->intake, 0), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    intake_fini(&scene->intake);
    close(HIGH_FD);
    close(scene->sender);
    free(scene);
    return 0;
}

/* Sent and read, as libzmq reads what it does not show yet. */
static void pile_up(const struct scene *scene, size_t size)
{
    static char bytes[64 * 1024];
    for (size_t sent = 0; sent < size; sent += sizeof bytes) {
        assert_int_equal(send(scene->sender, bytes, sizeof bytes, 0), sizeof bytes);
        assert_int_equal(recv(HIGH_FD, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    }
}

static void many_connections_are_looked_at_by_and_by(void **state)
{
    struct scene *scene = *state;
    pile_up(scene, PILE);
    assert_int_equal(intake_check(&scene->intake, 200), 0);
    assert_int_equal(intake_check(&scene->intake, 400), 1);
    assert_int_equal(recv(HIGH_FD, &(char){0}, 1, 0), 0);
}

static void a_suspect_is_looked_at_again_soon(void **state)
{
    struct scene *scene = *state;
    pile_up(scene, PILE / 2);
    assert_int_equal(intake_check(&scene->intake, 200), 0);
    assert_int_equal(scene->intake.next_check, 400);
    assert_int_equal(intake_check(&scene->intake, 400), 0);
    assert_int_equal(scene->intake.next_check, 420);
    pile_up(scene, PILE / 2);
    assert_int_equal(intake_check(&scene->intake, 420), 1);
}

static void all_are_looked_at_when_memory_grows(void **state)
{
    struct scene *scene = *state;
    pile_up(scene, PILE);
    need_memory(MORE);
    assert_int_equal(intake_check(&scene->intake, 200), 1);
}

static void whose_messages_arrive_is_left_alone(void **state)
{
    struct scene *scene = *state;
    pile_up(scene, PILE);
    for (uint64_t now = 200; now < 1000; now += 200) {
        intake_take(&scene->intake, HIGH_FD, 1);
        assert_int_equal(intake_check(&scene->intake, now), 0);
        intake_take(&scene->intake, HIGH_FD, 1);
        assert_int_equal(intake_check(&scene->intake, now + 100), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_connections_are_looked_at_by_and_by),
        TEST(a_suspect_is_looked_at_again_soon),
        TEST(all_are_looked_at_when_memory_grows),
        TEST(whose_messages_arrive_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
