/* What a proxy learns of the methods of a service, from descriptions that others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/known.h"

enum {
    MANY = 60000,
};

static struct busbar_value *map_of(const char *key, struct busbar_value *value)
{
    struct busbar_value *map = busbar_value_map();
    assert_int_equal(busbar_value_set(map, key, &value), BUSBAR_OK);
    return map;
}

/* One registration with methods `m0`, `m1`, … that have the text. */
static struct busbar_value *description_of(size_t count, const char *text)
{
    struct busbar_value *methods = busbar_value_list();
    struct busbar_value *registrations = busbar_value_list();
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "m%zu", i);
        struct busbar_value *method = map_of("name", busbar_value_text(name));
        struct busbar_value *said = busbar_value_text(text);
        assert_int_equal(busbar_value_set(method, "text", &said), BUSBAR_OK);
        assert_int_equal(busbar_value_append(methods, &method), BUSBAR_OK);
    }
    struct busbar_value *registration = map_of("methods", methods);
    assert_int_equal(busbar_value_append(registrations, &registration), BUSBAR_OK);
    return map_of("registrations", registrations);
}

static void learn(struct known *known, size_t count, const char *text)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *description = description_of(count, text);
    uint64_t before = clock_ms();
    assert_true(known_learn(known, description));
    assert_in_range(clock_ms() - before, 0, 3000);
}

static void what_was_told_once_stays_where_it_is(void **state)
{
    struct known known;
    (void)state;
    known_init(&known);
    assert_null(known_find(&known, "m1"));
    learn(&known, 3, "first");
    const struct known_method *first = known_find(&known, "m1");
    assert_string_equal(first->text, "first");
    learn(&known, 2, "second");
    assert_string_equal(known_find(&known, "m1")->text, "second");
    assert_string_equal(first->text, "first");
    assert_null(known_find(&known, "m2"));
    learn(&known, 3, "first");
    assert_ptr_equal(known_find(&known, "m1"), first);
    known_doubt(&known);
    assert_null(known_find(&known, "m1"));
    known_fini(&known);
}

static void very_many_methods_are_taken_in_at_once_and_no_more_kept_than_a_bound(void **state)
{
    struct known known;
    (void)state;
    known_init(&known);
    learn(&known, MANY, "");
    learn(&known, MANY, "other");
    assert_null(known_at(&known, MANY / 2));
    known_fini(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_once_stays_where_it_is),
        cmocka_unit_test(very_many_methods_are_taken_in_at_once_and_no_more_kept_than_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
