/* Pools from files and from code: what is refused and where, and that both come to the same. */
#include "objects/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/fake_member.h"
#include "tests/unit/settings_text.h"

/* The pool that a file describes, NULL if it has errors. */
static struct busbar_object *pool_made(const char *yaml, struct settings_errors *errors)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    const struct settings_text text = {.name = "f", .data = yaml, .size = strlen(yaml)};
    struct busbar_object *pool = NULL;
    char settings[256] __attribute__((aligned(16)));
    settings_errors_init(errors);
    assert_true(settings_document_parse(&document, &text, errors));
    assert_true(pool_kind.table->size <= sizeof settings);
    assert_true(settings_init(pool_kind.table, settings));
    if (!settings_read(pool_kind.table, document->root, settings, errors)) {
        settings_fini(pool_kind.table, settings);
        return NULL;
    }
    enum busbar_status status = pool_kind.create(&pool, settings, document->root, errors);
    assert_int_equal(status == BUSBAR_OK, pool != NULL);
    assert_int_equal(status, errors->count == 0 ? BUSBAR_OK : BUSBAR_BAD_CONFIG);
    return pool;
}

static struct busbar_object *pool_good(const char *yaml)
{
    struct settings_errors errors;
    struct busbar_object *pool = pool_made(yaml, &errors);
    assert_errors(&errors, yaml, "");
    settings_errors_fini(&errors);
    return pool;
}

static void each_error_has_its_place(void **state)
{
    static const struct {
        const char *yaml;
        const char *errors;
    } ROWS[] = {
        {"pool: [a, b, a]", "1:14: \"a\" is a member already"},
        {"pool:\n  members: [a, b]\n  idempotent: [get, no-name]",
         "3:21: \"no-name\" cannot be the name of a method"},
        {"pool: {members: a, idempotent: a.b}", "1:32: \"a.b\" cannot be the name of a method"},
        {"pool: {members: [a, a], idempotent: ['']}",
         "1:21: \"a\" is a member already\n1:38: \"\" cannot be the name of a method"},
        {"pool: {members: [a], probe: 0}",
         "1:29: pool.probe must be a time like 500ms or 2s, from 1ms to 1h, not \"0\""},
        {"pool: {probe: 1s}", "1:7: pool must have the key \"members\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct settings_errors errors;
        assert_null(pool_made(ROWS[i].yaml, &errors));
        assert_errors(&errors, ROWS[i].yaml, ROWS[i].errors);
        settings_errors_fini(&errors);
    }
}

/* Their ids are for the application to look up; 7 */
static void a_pool_of_a_file_is_created_empty_and_knows_the_ids(void **state)
{
    static const char *const FILES[] = {"pool: [a, b]", "pool: {members: [a, b]}",
                                        "pool:\n  members:\n    - a\n    - b\n"};
    size_t count = 7;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        struct busbar_object *pool = pool_good(FILES[i]);
        const struct text_settings *ids = pool_ids(pool, &count);
        assert_int_equal(count, 2);
        assert_string_equal(ids[0].text, "a");
        assert_string_equal(ids[1].text, "b");
        assert_int_equal(fake_stats(pool).members, 0);
        busbar_object_destroy(&pool);
    }
    struct busbar_object *pool = pool_good("pool: []");
    pool_ids(pool, &count);
    assert_int_equal(count, 0);
    busbar_object_destroy(&pool);
}

static void the_place_of_each_id_is_known(void **state)
{
    static const struct {
        const char *yaml;
        size_t index;
        unsigned line;
        unsigned column;
    } ROWS[] = {{"pool: [a, b]", 1, 1, 11},
                {"pool: {probe: 1s, members: [a, b]}", 0, 1, 29},
                {"pool:\n  members:\n    - a\n    - b\n", 1, 4, 7},
                {"pool: a", 0, 1, 7}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct settings_errors errors;
        CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
        const struct settings_text text = {
            .name = "f", .data = ROWS[i].yaml, .size = strlen(ROWS[i].yaml)};
        settings_errors_init(&errors);
        assert_true(settings_document_parse(&document, &text, &errors));
        const struct settings_node *node = pool_id_node(document->root, ROWS[i].index);
        assert_int_equal(node->place.line, ROWS[i].line);
        assert_int_equal(node->place.column, ROWS[i].column);
        settings_errors_fini(&errors);
    }
}

static bool is_idempotent(struct busbar_object *pool, const char *method)
{
    struct object_method found;
    return pool->class->find(pool, method, &found) && found.idempotent;
}

static void idempotent_takes_methods_or_true(void **state)
{
    static const struct {
        const char *yaml;
        bool get;
        bool put;
    } ROWS[] = {
        {"pool: {members: a}", false, false},
        {"pool: {members: a, idempotent: true}", true, true},
        {"pool: {members: a, idempotent: '*'}", true, true},
        {"pool: {members: a, idempotent: false}", false, false},
        {"pool: {members: a, idempotent: get}", true, false},
        {"pool: {members: a, idempotent: [get, put]}", true, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct busbar_object *pool = pool_good(ROWS[i].yaml);
        assert_int_equal(is_idempotent(pool, "get"), ROWS[i].get);
        assert_int_equal(is_idempotent(pool, "put"), ROWS[i].put);
        busbar_object_destroy(&pool);
    }
}

static char *dumped(const struct busbar_object *pool)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    pool->class->dump(pool, 0, out);
    fclose(out);
    return text;
}

static void assert_same_dump(const struct busbar_object *one, const struct busbar_object *other)
{
    CLEANUP(cleanup_free) char *text = dumped(one);
    CLEANUP(cleanup_free) char *expected = dumped(other);
    assert_string_equal(text, expected);
}

/* 16: a file and code come to the same. */
static void a_pool_of_code_is_dumped_as_one_of_a_file(void **state)
{
    struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b")};
    struct busbar_object *objects[] = {&members[0]->object, &members[1]->object};
    const struct busbar_pool_options options = {.members = objects,
                                                .member_count = 2,
                                                .probe_ms = 1000,
                                                .idempotent = (const char *[]){"get", NULL}};
    struct busbar_object *file = pool_good("pool: {members: [a, b], probe: 1s, idempotent: [get]}");
    struct busbar_object *code = NULL;
    (void)state;
    assert_int_equal(busbar_pool_new(&code, &options), BUSBAR_OK);
    assert_true(pool_same_but_members(file, code));
    for (int i = 0; i < 2; i++)
        assert_int_equal(busbar_pool_add(file, objects[i]), BUSBAR_OK);
    assert_same_dump(file, code);
    busbar_object_destroy(&file);
    busbar_object_destroy(&code);
    for (int i = 0; i < 2; i++)
        fake_member_unref(&members[i]);
}

/* The members of the moment, not those that a file had once. */
static void what_is_dumped_reads_back_as_the_same_pool(void **state)
{
    static const char *const FILES[] = {"pool: [old]", "pool: {members: old, probe: 3s}",
                                        "pool: {members: [], idempotent: true}",
                                        "pool: {members: old, idempotent: [get, put]}"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        struct fake_member *member = fake_member_new("new");
        struct busbar_object *pool = pool_good(FILES[i]);
        size_t count = 0;
        assert_int_equal(busbar_pool_add(pool, &member->object), BUSBAR_OK);
        CLEANUP(cleanup_free) char *text = dumped(pool);
        struct busbar_object *again = pool_good(text);
        assert_true(pool_same_but_members(pool, again));
        assert_string_equal(pool_ids(again, &count)->text, "new");
        assert_int_equal(count, 1);
        busbar_object_destroy(&again);
        busbar_object_destroy(&pool);
        fake_member_unref(&member);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_place),
        cmocka_unit_test(a_pool_of_a_file_is_created_empty_and_knows_the_ids),
        cmocka_unit_test(the_place_of_each_id_is_known),
        cmocka_unit_test(idempotent_takes_methods_or_true),
        cmocka_unit_test(a_pool_of_code_is_dumped_as_one_of_a_file),
        cmocka_unit_test(what_is_dumped_reads_back_as_the_same_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
