/* What libzmq itself would never send: the broker cuts who sends it, lives on and stays small. */
#include <string.h>
#include <unistd.h>

#include "tests/kit/stranger.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Frames of one message that never ends: neither a count of messages nor a size of frames bounds it.
 * The broker sees it a few times a second; how much arrives until then is the machine's doing. */
static void a_message_without_end_is_cut_before_it_fills_the_memory(void **state)
{
    enum { FRAMES = 2000000, SIZE = 4096, GROWTH_KIB = 1024 * 1024 };
    static uint8_t data[SIZE];
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    size_t before = kit_rss_kib(broker->pid);
    int fd = stranger_connect(kit);
    int sent = 0;
    stranger_shake_hands(fd);
    while (sent < FRAMES && stranger_send_frame(fd, STRANGER_MORE | STRANGER_LONG, data, SIZE))
        sent++;
    assert_true(sent < FRAMES);
    if (!kit_is_sanitized())
        assert_true(kit_rss_kib(broker->pid) < before + GROWTH_KIB);
    kit_expect_alive(kit, broker);
    close(fd);
}

/* Empty frames take 32 times the memory that they take on the wire. */
static void what_a_message_without_end_piled_up_is_given_back(void **state)
{
    enum { FRAMES = 40000000, SOME = 50000, EMPTY_SIZE = 2 };
    static uint8_t frames[SOME * EMPTY_SIZE];
    struct kit *kit = *state;
    if (kit_is_sanitized())
        skip(); /* each byte of memory takes several there */
    struct kit_process *broker = kit_broker(kit, NULL);
    size_t before = kit_rss_kib(broker->pid);
    int fd = stranger_connect(kit);
    int sent = 0;
    for (size_t i = 0; i < sizeof frames; i += EMPTY_SIZE)
        frames[i] = STRANGER_MORE;
    stranger_shake_hands(fd);
    while (sent < FRAMES && stranger_send(fd, frames, sizeof frames))
        sent += SOME;
    assert_true(sent < FRAMES);
    for (int i = 0; i < 100 && kit_rss_kib(broker->pid) > before + KIT_GROWTH_KIB; i++)
        usleep(50000);
    kit_expect_small(broker->pid, before);
    kit_expect_alive(kit, broker);
    close(fd);
}

/* Each frame costs the broker as much as a small message: no client sends thousands in one. */
static void a_message_of_very_many_frames_is_the_last_of_its_connection(void **state)
{
    enum { SOME = 5000, MANY = 20000 };
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    size_t before = kit_rss_kib(broker->pid);
    int fd = stranger_connect(kit);
    stranger_shake_hands(fd);
    for (int i = 1; i <= SOME; i++)
        assert_true(stranger_send_frame(fd, i < SOME ? STRANGER_MORE : 0, "", 0));
    assert_false(stranger_is_cut(fd, kit_time(300)));
    for (int i = 1; i <= 3 * MANY && stranger_send_frame(fd, i % MANY != 0, "", 0); i++)
        continue;
    assert_true(stranger_is_cut(fd, kit_time(2000)));
    assert_in_range(kit_counter(kit, "malformed"), 2, 4);
    assert_int_equal(kit_counter(kit, "connections_cut"), 1);
    kit_expect_small(broker->pid, before);
    kit_expect_alive(kit, broker);
    close(fd);
}

/* A frame that claims more than the limit of a body is not waited for. */
static void a_frame_over_the_limit_cuts_the_connection(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    size_t before = kit_rss_kib(broker->pid);
    int fd = stranger_connect(kit);
    stranger_shake_hands(fd);
    static const uint8_t header[] = {STRANGER_LONG, 0, 0, 0, 1, 0, 0, 0, 0};
    assert_true(stranger_send(fd, header, sizeof header));
    assert_true(stranger_is_cut(fd, kit_time(2000)));
    kit_expect_small(broker->pid, before);
    kit_expect_alive(kit, broker);
    close(fd);
}

/* Who says nothing, or not enough, does not keep a connection for ever. */
static void a_stranger_who_does_not_greet_is_cut(void **state)
{
    static const char *const greetings[] = {"", "\xff", "GET / HTTP/1.1\r\n\r\n"};
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    int fds[COUNT(greetings)];
    for (size_t i = 0; i < COUNT(greetings); i++) {
        fds[i] = stranger_connect(kit);
        assert_true(stranger_send(fds[i], greetings[i], strlen(greetings[i])));
    }
    for (size_t i = 0; i < COUNT(greetings); i++) {
        assert_true(stranger_is_cut(fds[i], kit_time(6000)));
        close(fds[i]);
    }
    kit_expect_alive(kit, broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_message_without_end_is_cut_before_it_fills_the_memory),
        KIT_TEST(what_a_message_without_end_piled_up_is_given_back),
        KIT_TEST(a_message_of_very_many_frames_is_the_last_of_its_connection),
        KIT_TEST(a_frame_over_the_limit_cuts_the_connection),
        KIT_TEST(a_stranger_who_does_not_greet_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
