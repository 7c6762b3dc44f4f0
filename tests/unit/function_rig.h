/* Two objects with the same C functions behind them: one is called straight, as libraries are, the
 * other by way of values, as whatever is far away; what is tested must be true of both. */
#ifndef TESTS_FUNCTION_RIG_H
#define TESTS_FUNCTION_RIG_H

#include <busbar/object.h>
#include <stdatomic.h>
#include <stddef.h>

struct rig_function {
    const char *name;
    const char *signature;
    void *address;
};

enum rig_kind {
    RIG_STRAIGHT,
    RIG_BY_VALUES, /* knows its signatures */
    RIG_ASKED,     /* the same, but only tells them when asked */
    RIG_KINDS,
};

/* Functions end with an empty name; borrowed. */
struct busbar_object *rig_new(enum rig_kind kind, const struct rig_function *functions);

/* Runs a test with an object of each kind. */
void rig_each(const struct rig_function *functions, void (*test)(struct busbar_object *object));

/* busbar_function, which must work. */
void *rig_get(struct busbar_object *object, const char *method);

/* How often an object of the kind RIG_ASKED was. */
extern atomic_uint rig_questions;

/* Checks this thread's outcome: a NULL text is not looked at, others must be part of it. */
void rig_assert_outcome(enum busbar_status status, enum busbar_fate fate, const char *text);

#endif
