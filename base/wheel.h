/* The deadline wheel: timers by millisecond, O(1) to set and to stop; the caller brings the time. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WHEEL_LEVELS = 4,
    WHEEL_SLOTS = 256, /* per level; level n has a tick of 256^n ms */
};

struct wheel_timer {
    struct list link; /* a ring of its own while the timer is not set */
    uint64_t due;     /* ms */
};

/*
 * `now` never goes back. A timer is reported by the first wheel_expired whose `now` is at or past
 * `due`. Timers beyond the last level wait in it and are put back as it turns.
 *
 * Most timers are stopped long before they are due. So one that has further to go than the lowest
 * level reaches is only gathered, and all that are left are filed when the first may come that near.
 */
struct wheel {
    uint64_t now;
    size_t count;
    uint64_t gathered_due; /* none of those gathered is due before */
    struct list gathered;
    struct list expired;
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t occupied[WHEEL_SLOTS / 64]; /* which slots of level 0 may hold timers */
};

void wheel_init(struct wheel *wheel, uint64_t now);

/* Puts a timer where it will be found in time: for wheel_set. */
void wheel_file(struct wheel *wheel, struct wheel_timer *timer);

static inline void wheel_timer_init(struct wheel_timer *timer)
{
    list_init(&timer->link);
    timer->due = 0;
}

static inline bool wheel_timer_is_set(const struct wheel_timer *timer)
{
    return !list_is_empty(&timer->link);
}

/* Sets a timer that is not set. */
static inline void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t due)
{
    assert(!wheel_timer_is_set(timer));
    timer->due = due;
    wheel->count++;
    if (due < wheel->now + WHEEL_SLOTS) {
        wheel_file(wheel, timer);
        return;
    }
    list_append(&wheel->gathered, &timer->link);
    if (due < wheel->gathered_due)
        wheel->gathered_due = due;
}

/* Stops a timer; one that is not set is left alone. */
static inline void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
    if (wheel_timer_is_set(timer)) {
        list_remove(&timer->link);
        wheel->count--;
    }
}

/* With no timer set the wheel goes to `now` at once, however long the pause was. */
static inline void wheel_skip(struct wheel *wheel, uint64_t now)
{
    if (wheel->count == 0 && now > wheel->now) {
        wheel->now = now;
        wheel->gathered_due = UINT64_MAX;
    }
}

/* For wheel_expired, where time has passed or timers are due. */
struct wheel_timer *wheel_turn_to(struct wheel *wheel, uint64_t now);

/* The next timer that is due at `now`, stopped; NULL if there is none. Call until NULL. */
static inline struct wheel_timer *wheel_expired(struct wheel *wheel, uint64_t now)
{
    wheel_skip(wheel, now);
    if (wheel->now >= now && list_is_empty(&wheel->expired))
        return NULL;
    return wheel_turn_to(wheel, now);
}

/*
 * Milliseconds until wheel_expired may have something to do, never too late: exact if that is before
 * the next multiple of 256 ms, else at most the one after; UINT64_MAX with no timer set.
 */
uint64_t wheel_wait(const struct wheel *wheel, uint64_t now);

#endif
