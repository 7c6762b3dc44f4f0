/* Mailboxes: what waits for a peer that takes nothing. */
#include "transport/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <zmq.h>
#include <cmocka.h>

/* Else a peer that does not read could be due any number of them. */
static void frames_without_a_byte_count(void **state)
{
    enum { FRAMES = 1000 };
    static const struct bytes frames[FRAMES];
    struct mailbox mailbox;
    (void)state;
    mailbox_init(&mailbox);
    assert_int_equal(mailbox_bytes(&mailbox), 0);
    assert_true(mailbox_put(&mailbox, frames, FRAMES, NULL));
    assert_true(mailbox_bytes(&mailbox) >= FRAMES * sizeof(zmq_msg_t));
    mailbox_fini(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_without_a_byte_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
