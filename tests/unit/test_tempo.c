/* The tempo of a method: learnt from answers, not upset by a few, given up when nothing confirms it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "broker/tempo.h"

static uint64_t now;

static void answer(struct tempo *tempo, uint64_t ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tempo_note(tempo, ms, ++now);
}

static void nothing_is_known_before_a_few_answers(void **state)
{
    struct tempo tempo = {0};
    (void)state;
    answer(&tempo, 500, 7);
    assert_int_equal(tempo_need(&tempo), 0);
    answer(&tempo, 500, 1);
    assert_in_range(tempo_need(&tempo), 750, 760);
}

static void it_follows_what_calls_need(void **state)
{
    static const uint64_t NEEDED[] = {5, 50, 1000, 3, 0};
    struct tempo tempo = {0};
    (void)state;
    for (size_t i = 0; i < sizeof NEEDED / sizeof NEEDED[0]; i++) {
        answer(&tempo, NEEDED[i], 200);
        assert_in_range(tempo_need(&tempo), NEEDED[i] * 3 / 2, NEEDED[i] * 3 / 2 + 5);
    }
}

static void answers_that_vary_make_it_careful(void **state)
{
    struct tempo even = {0};
    struct tempo uneven = {0};
    (void)state;
    for (int i = 0; i < 200; i++) {
        answer(&even, 20, 1);
        answer(&uneven, i % 2 ? 10 : 30, 1);
    }
    assert_in_range(tempo_need(&even), 30, 33);
    assert_in_range(tempo_need(&uneven), 42, 55);
}

/* As of a worker that hung with all the calls its credit allows. */
static void a_burst_of_late_answers_does_not_upset_it(void **state)
{
    struct tempo tempo = {0};
    (void)state;
    answer(&tempo, 5, 100);
    answer(&tempo, 60000, 8);
    assert_in_range(tempo_need(&tempo), 8, 100);
    answer(&tempo, 5, 30);
    assert_in_range(tempo_need(&tempo), 8, 15);
}

static void without_answers_it_is_doubted_until_nothing_is_left(void **state)
{
    struct tempo tempo = {0};
    uint64_t begun;
    (void)state;
    answer(&tempo, 60000, 8);
    begun = now;
    while (tempo_need(&tempo) > 500 && now - begun < 60000)
        tempo_doubt(&tempo, now += 10);
    assert_in_range(now - begun, 1000, 10000);
    answer(&tempo, 60000, 1);
    uint64_t need = tempo_need(&tempo);
    tempo_doubt(&tempo, now + need); /* so long an answer may take */
    assert_int_equal(tempo_need(&tempo), need);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_before_a_few_answers),
        cmocka_unit_test(it_follows_what_calls_need),
        cmocka_unit_test(answers_that_vary_make_it_careful),
        cmocka_unit_test(a_burst_of_late_answers_does_not_upset_it),
        cmocka_unit_test(without_answers_it_is_doubted_until_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
