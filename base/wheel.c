/* Four levels of slots; a timer falls to a lower level as its time comes nearer. */
#include "base/wheel.h"

enum {
    SLOT_BITS = 8,
    SLOT_MASK = WHEEL_SLOTS - 1,
};

void wheel_init(struct wheel *wheel, uint64_t now)
{
    *wheel = (struct wheel){.now = now, .gathered_due = UINT64_MAX};
    list_init(&wheel->gathered);
    list_init(&wheel->expired);
    for (size_t level = 0; level < WHEEL_LEVELS; level++) {
        for (size_t slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

/* Files a timer by the distance to its due time; what is due now goes to `expired`. */
void wheel_file(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->due <= wheel->now) {
        list_append(&wheel->expired, &timer->link);
        return;
    }
    uint64_t distance = timer->due - wheel->now;
    unsigned level = (unsigned)(63 - __builtin_clzll(distance)) / SLOT_BITS;
    if (level > WHEEL_LEVELS - 1)
        level = WHEEL_LEVELS - 1;
    /* What lies beyond the last level is met once in each of its rounds, and filed again. */
    size_t slot = (timer->due >> (SLOT_BITS * level)) & SLOT_MASK;
    list_append(&wheel->slots[level][slot], &timer->link);
    if (level == 0)
        wheel->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
}

/* Files anew what a slot holds, or what was gathered. */
static void wheel_refile(struct wheel *wheel, struct list *slot)
{
    struct list moved;
    if (list_is_empty(slot))
        return;
    moved = *slot;
    moved.next->previous = &moved;
    moved.previous->next = &moved;
    list_init(slot);
    LIST_EACH(node, &moved) {
        struct wheel_timer *timer = CONTAINER_OF(node, struct wheel_timer, link);
        list_remove(node);
        wheel_file(wheel, timer);
    }
}

/* One millisecond: higher levels first, so that what falls through lands in a slot still to come. */
static void wheel_turn(struct wheel *wheel)
{
    wheel->now++;
    if (wheel->gathered_due < wheel->now + WHEEL_SLOTS) {
        wheel->gathered_due = UINT64_MAX;
        wheel_refile(wheel, &wheel->gathered);
    }
    for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
        if ((wheel->now & ((UINT64_C(1) << (SLOT_BITS * level)) - 1)) == 0)
            wheel_refile(wheel,
                         &wheel->slots[level][(wheel->now >> (SLOT_BITS * level)) & SLOT_MASK]);
    }
    size_t slot = wheel->now & SLOT_MASK;
    wheel_refile(wheel, &wheel->slots[0][slot]);
    wheel->occupied[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

struct wheel_timer *wheel_turn_to(struct wheel *wheel, uint64_t now)
{
    while (list_is_empty(&wheel->expired) && wheel->now < now)
        wheel_turn(wheel);
    if (list_is_empty(&wheel->expired))
        return NULL;
    struct wheel_timer *timer = LIST_FIRST(&wheel->expired, struct wheel_timer, link);
    wheel_stop(wheel, timer);
    return timer;
}

/* The first slot of level 0 from `first` on that may hold timers; WHEEL_SLOTS for none. */
static size_t wheel_occupied(const struct wheel *wheel, size_t first)
{
    uint64_t word = wheel->occupied[first / 64] & UINT64_MAX << (first % 64);
    for (size_t i = first / 64;; word = wheel->occupied[i]) {
        if (word != 0)
            return i * 64 + (size_t)__builtin_ctzll(word);
        if (++i == WHEEL_SLOTS / 64)
            return WHEEL_SLOTS;
    }
}

/*
 * When the next slot of level 0 comes that may hold timers, or that higher levels may fill: they do
 * where a round of level 0 ends. The first such end is passed if only level 1 would fill there and has
 * nothing, so that who waits for one far timer is not woken by it.
 */
static uint64_t wheel_next(const struct wheel *wheel)
{
    uint64_t next = wheel->now + 1;
    uint64_t end = (next + SLOT_MASK) & ~(uint64_t)SLOT_MASK;
    if (next < end) {
        size_t slot = wheel_occupied(wheel, next & SLOT_MASK);
        if (slot < WHEEL_SLOTS)
            return end - WHEEL_SLOTS + slot;
    }
    size_t above = (end >> SLOT_BITS) & SLOT_MASK;
    if (above == 0 || !list_is_empty(&wheel->slots[1][above]))
        return end;
    next = end + wheel_occupied(wheel, 0);
    return next < wheel->gathered_due ? next : wheel->gathered_due;
}

uint64_t wheel_wait(const struct wheel *wheel, uint64_t now)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    if (!list_is_empty(&wheel->expired))
        return 0;
    uint64_t due = wheel_next(wheel);
    return due > now ? due - now : 0;
}
