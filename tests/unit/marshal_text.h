/* What the tests of marshalling share: values and signatures from text, and comparing values. */
#ifndef TESTS_UNIT_MARSHAL_TEXT_H
#define TESTS_UNIT_MARSHAL_TEXT_H

#include "base/cleanup.h"
#include "objects/marshal.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

/* Fails for what is no JSON. */
struct busbar_value *value_of(const char *json);

/* Fails for what is no signature. */
struct signature parsed(const char *text);

/* All NaNs are equal, and 0.0 is not -0.0. `input` is said on failure. */
void assert_equal(const struct busbar_value *value, const struct busbar_value *wanted,
                  const char *input);

/* Frees of what marshal_results made that which is not owned. */
void free_kept(const struct marshal_item *items, const struct signature *signature);

/* A value in as many lists as there can be. */
struct busbar_value *highest_value(void);

#endif
