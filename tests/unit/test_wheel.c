/* The deadline wheel against a naive model that compares every timer with the time. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    TIMERS = 200,
};

struct model {
    struct wheel wheel;
    struct wheel_timer timers[TIMERS];
    uint64_t due[TIMERS]; /* UINT64_MAX: not set */
    uint64_t now;
    uint64_t seed;
    size_t fired;
};

static uint64_t random_below(struct model *model, uint64_t bound)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed % bound;
}

static void model_init(struct model *model, uint64_t now)
{
    model->now = now;
    model->seed = 88172645463325252;
    model->fired = 0;
    wheel_init(&model->wheel, now);
    for (size_t i = 0; i < TIMERS; i++) {
        wheel_timer_init(&model->timers[i]);
        model->due[i] = UINT64_MAX;
    }
}

static void model_set(struct model *model, size_t i, uint64_t due)
{
    wheel_stop(&model->wheel, &model->timers[i]);
    wheel_set(&model->wheel, &model->timers[i], due);
    model->due[i] = due;
}

static void model_stop(struct model *model, size_t i)
{
    wheel_stop(&model->wheel, &model->timers[i]);
    model->due[i] = UINT64_MAX;
}

static uint64_t model_first_due(const struct model *model)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < TIMERS; i++)
        first = model->due[i] < first ? model->due[i] : first;
    return first;
}

/* Moves on; exactly the timers that are due must be reported, each once. */
static void model_advance(struct model *model, uint64_t now)
{
    struct wheel_timer *timer;
    model->now = now;
    while ((timer = wheel_expired(&model->wheel, now)) != NULL) {
        size_t i = (size_t)(timer - model->timers);
        assert_true(i < TIMERS);
        assert_true(model->due[i] <= now);
        assert_true(timer->due == model->due[i]);
        assert_false(wheel_timer_is_set(timer));
        model->due[i] = UINT64_MAX;
        model->fired++;
    }
    assert_true(model_first_due(model) > now);
}

static void model_check(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(wheel_timer_is_set(&model->timers[i]), model->due[i] != UINT64_MAX);
        count += model->due[i] != UINT64_MAX;
    }
    assert_int_equal(model->wheel.count, count);
    uint64_t wait = wheel_wait(&model->wheel, model->now);
    uint64_t first = model_first_due(model);
    if (first == UINT64_MAX) {
        assert_true(wait == UINT64_MAX);
    } else {
        assert_true(wait <= 2 * WHEEL_SLOTS);
        assert_true(wait <= (first > model->now ? first - model->now : 0));
    }
}

static void model_fini(struct model *model)
{
    for (size_t i = 0; i < TIMERS; i++)
        model_stop(model, i);
    assert_int_equal(model->wheel.count, 0);
}

/* Distances that lie around the borders of the levels. */
static uint64_t near_a_border(struct model *model)
{
    static const uint64_t BORDERS[] = {0, 1, 255, 256, 257, 511, 512, 65535, 65536, 65537, 131072};
    uint64_t border = BORDERS[random_below(model, ARRAY_SIZE(BORDERS))];
    uint64_t shift = random_below(model, 5);
    return border + shift >= 2 ? border + shift - 2 : 0;
}

static uint64_t distance(struct model *model)
{
    switch (random_below(model, 4)) {
    case 0:
        return random_below(model, 300);
    case 1:
        return random_below(model, 20000);
    case 2:
        return near_a_border(model);
    case 3:
        return random_below(model, 400000);
    }
    return 0;
}

static void play(uint64_t start, unsigned rounds)
{
    struct model *model = malloc(sizeof *model);
    assert_non_null(model);
    model_init(model, start);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned n = 0; n < 10; n++) {
            size_t i = random_below(model, TIMERS);
            if (random_below(model, 3) == 0)
                model_stop(model, i);
            else
                model_set(model, i, model->now + distance(model));
        }
        model_check(model);
        switch (random_below(model, 3)) {
        case 0:
            model_advance(model, model->now + random_below(model, 3));
            break;
        case 1:
            model_advance(model, model->now + near_a_border(model) % 1000);
            break;
        case 2:
            model_advance(model, model->now + distance(model) % 70000);
            break;
        }
        model_check(model);
    }
    assert_true(model->fired > rounds);
    model_fini(model);
    free(model);
}

static void timers_are_reported_exactly_when_a_naive_model_says(void **state)
{
    (void)state;
    static const uint64_t STARTS[] = {
        0, 1, 255, 256, 65535, 65536, 16777215, UINT64_C(4294967295), UINT64_C(1099511627775),
    };
    for (size_t i = 0; i < ARRAY_SIZE(STARTS); i++)
        play(STARTS[i], 150);
}

/* Each timer alone, the wheel turned only as far as wheel_wait allows, as a poll loop would. */
static void waiting_as_told_never_misses_a_deadline(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof *model);
    assert_non_null(model);
    for (uint64_t start = 0; start < 700; start += 37) {
        model_init(model, start);
        for (uint64_t far = 1; far < 200000; far = far * 3 + 1) {
            uint64_t due = model->now + far;
            model_set(model, 0, due);
            while (model->due[0] != UINT64_MAX) {
                uint64_t wait = wheel_wait(&model->wheel, model->now);
                assert_true(wait > 0 && model->now + wait <= due);
                model_advance(model, model->now + wait);
            }
            assert_true(model->now == due);
        }
    }
    free(model);
}

static void the_farthest_deadlines_come_true(void **state)
{
    (void)state;
    static const uint64_t FAR[] = {16777215, 16777217};
    for (size_t i = 0; i < ARRAY_SIZE(FAR); i++) {
        struct wheel wheel;
        struct wheel_timer timer;
        uint64_t start = 1000003;
        wheel_init(&wheel, start);
        wheel_timer_init(&timer);
        wheel_set(&wheel, &timer, start + FAR[i]);
        assert_null(wheel_expired(&wheel, start + FAR[i] - 1));
        assert_ptr_equal(wheel_expired(&wheel, start + FAR[i]), &timer);
        assert_null(wheel_expired(&wheel, start + FAR[i]));
    }
}

/* 2^32 ms and more are beyond the last level: such a timer must neither fire early nor be lost. */
static void a_deadline_beyond_the_wheel_stays_set(void **state)
{
    (void)state;
    static const uint64_t DUE[] = {UINT64_C(1) << 32, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(DUE); i++) {
        struct wheel wheel;
        struct wheel_timer timer;
        wheel_init(&wheel, 0);
        wheel_timer_init(&timer);
        wheel_set(&wheel, &timer, DUE[i]);
        assert_true(wheel_wait(&wheel, 0) <= 2 * WHEEL_SLOTS);
        assert_null(wheel_expired(&wheel, i == 0 ? 17000000 : 70000));
        assert_true(wheel_timer_is_set(&timer));
        wheel_stop(&wheel, &timer);
        assert_int_equal(wheel.count, 0);
    }
}

static void what_is_due_already_is_reported_without_time_passing(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timers[2];
    wheel_init(&wheel, 500);
    wheel_timer_init(&timers[0]);
    wheel_timer_init(&timers[1]);
    wheel_set(&wheel, &timers[0], 500);
    wheel_set(&wheel, &timers[1], 3);
    assert_true(wheel_wait(&wheel, 500) == 0);
    assert_ptr_equal(wheel_expired(&wheel, 500), &timers[0]);
    assert_ptr_equal(wheel_expired(&wheel, 500), &timers[1]);
    assert_null(wheel_expired(&wheel, 500));
    assert_true(wheel_wait(&wheel, 500) == UINT64_MAX);
}

static void slots_that_were_passed_wake_nobody(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timers[255];
    wheel_init(&wheel, 0);
    for (size_t i = 0; i < 255; i++) {
        wheel_timer_init(&timers[i]);
        wheel_set(&wheel, &timers[i], i + 1);
    }
    for (size_t i = 0; i < 255; i++)
        assert_ptr_equal(wheel_expired(&wheel, 256), &timers[i]);
    assert_null(wheel_expired(&wheel, 256));
    wheel_set(&wheel, &timers[0], 256 + 200);
    assert_true(wheel_wait(&wheel, 256) == 200);
    wheel_stop(&wheel, &timers[0]);
}

/* Who waits for one answer with a far deadline is not woken by the end of each round. */
static void a_timer_that_is_far_away_lets_a_wait_pass_the_end_of_the_round(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timer;
    wheel_timer_init(&timer);
    wheel_init(&wheel, 0);
    for (uint64_t now = 0; now < 65000; now += 50) {
        assert_null(wheel_expired(&wheel, now));
        wheel_set(&wheel, &timer, now + 30000);
        assert_true(wheel_wait(&wheel, now) >= WHEEL_SLOTS);
        wheel_stop(&wheel, &timer);
    }
}

static void a_timer_may_be_stopped_between_two_that_are_due(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timers[3];
    wheel_init(&wheel, 0);
    for (size_t i = 0; i < 3; i++) {
        wheel_timer_init(&timers[i]);
        wheel_set(&wheel, &timers[i], 10);
    }
    assert_ptr_equal(wheel_expired(&wheel, 20), &timers[0]);
    wheel_stop(&wheel, &timers[1]);
    wheel_stop(&wheel, &timers[1]);
    assert_ptr_equal(wheel_expired(&wheel, 20), &timers[2]);
    assert_null(wheel_expired(&wheel, 20));
    assert_int_equal(wheel.count, 0);
}

static void a_timer_set_again_while_others_are_reported_comes_in_its_turn(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timer;
    unsigned times = 0;
    wheel_init(&wheel, 0);
    wheel_timer_init(&timer);
    wheel_set(&wheel, &timer, 100);
    while (wheel_expired(&wheel, 1000) != NULL) {
        times++;
        wheel_set(&wheel, &timer, timer.due + 100);
    }
    assert_int_equal(times, 10);
    assert_true(timer.due == 1100);
    wheel_stop(&wheel, &timer);
}

static void an_empty_wheel_jumps_over_any_pause(void **state)
{
    (void)state;
    struct wheel wheel;
    struct wheel_timer timer;
    wheel_init(&wheel, 0);
    wheel_timer_init(&timer);
    wheel_set(&wheel, &timer, 7);
    wheel_stop(&wheel, &timer);
    uint64_t now = UINT64_C(1) << 50;
    assert_null(wheel_expired(&wheel, now));
    wheel_set(&wheel, &timer, now + 300);
    assert_null(wheel_expired(&wheel, now + 299));
    assert_ptr_equal(wheel_expired(&wheel, now + 300), &timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_are_reported_exactly_when_a_naive_model_says),
        cmocka_unit_test(waiting_as_told_never_misses_a_deadline),
        cmocka_unit_test(the_farthest_deadlines_come_true),
        cmocka_unit_test(a_deadline_beyond_the_wheel_stays_set),
        cmocka_unit_test(what_is_due_already_is_reported_without_time_passing),
        cmocka_unit_test(slots_that_were_passed_wake_nobody),
        cmocka_unit_test(a_timer_that_is_far_away_lets_a_wait_pass_the_end_of_the_round),
        cmocka_unit_test(a_timer_may_be_stopped_between_two_that_are_due),
        cmocka_unit_test(a_timer_set_again_while_others_are_reported_comes_in_its_turn),
        cmocka_unit_test(an_empty_wheel_jumps_over_any_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
