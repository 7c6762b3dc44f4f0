/* Holds the reading of values and of REGISTER's body to the hand-written vectors. */
#include "vectors.h"

#include <busbar/value.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/registration.h"

static bool is_refused(const struct vector *vector)
{
    return vector->line_count == 1 && strcmp(vector->lines[0].key, "refused") == 0;
}

static void check_text(const struct vector *vector, const char *got, const char *quoted)
{
    struct vector_bytes want;
    assert_true(vector_parse_bytes(&want, quoted));
    if (strlen(got) != want.size || memcmp(got, want.data, want.size) != 0)
        fail_msg("%s: '%s', expected %s", vector->name, got, quoted);
    free(want.data);
}

/* `"name" "value"` as one line. */
static void check_tag(const struct vector *vector, const struct registration_tag *tag,
                      const char *line)
{
    char got[256];
    snprintf(got, sizeof got, "\"%s\" \"%s\"", tag->name, tag->value);
    if (strcmp(got, line) != 0)
        fail_msg("%s: tag %s, expected %s", vector->name, got, line);
}

struct place {
    size_t methods;
    size_t tags;
    bool idempotent;
    bool signature;
    bool text;
};

/* What the vector does not say of the method just checked is empty. */
static void check_rest(const struct registration *read, struct place *place)
{
    if (place->methods > 0) {
        const struct registration_method *method = &read->methods[place->methods - 1];
        assert_int_equal(method->idempotent, place->idempotent);
        assert_true(place->signature || *method->signature == '\0');
        assert_true(place->text || *method->text == '\0');
    }
    place->idempotent = place->signature = place->text = false;
}

static void check_line(const struct vector *vector, const struct vector_line *line,
                       const struct registration *read, struct place *place)
{
    const struct registration_method *method = place->methods > 0
                                                   ? &read->methods[place->methods - 1]
                                                   : NULL;
    if (strcmp(line->key, "version") == 0) {
        check_text(vector, read->version, line->text);
    } else if (strcmp(line->key, "tag") == 0) {
        assert_true(place->tags < read->tag_count);
        check_tag(vector, &read->tags[place->tags++], line->text);
    } else if (strcmp(line->key, "method") == 0) {
        check_rest(read, place);
        assert_true(place->methods < read->method_count);
        check_text(vector, read->methods[place->methods++].name, line->text);
    } else if (method == NULL) {
        fail_msg("%s: %s comes before a method", vector->name, line->key);
    } else if (strcmp(line->key, "signature") == 0) {
        place->signature = true;
        check_text(vector, method->signature, line->text);
    } else if (strcmp(line->key, "text") == 0) {
        place->text = true;
        check_text(vector, method->text, line->text);
    } else if (strcmp(line->key, "idempotent") == 0) {
        place->idempotent = strcmp(line->text, "true") == 0;
    } else {
        fail_msg("%s: no field is called %s", vector->name, line->key);
    }
}

static void check_registration(const struct vector *vector, const struct registration *read)
{
    struct place place = {0};
    for (size_t i = 0; i < vector->line_count; i++)
        check_line(vector, &vector->lines[i], read, &place);
    check_rest(read, &place);
    assert_int_equal(place.methods, read->method_count);
    assert_int_equal(place.tags, read->tag_count);
}

static void check_vector(const struct vector *vector)
{
    CLEANUP(registration_fini) struct registration read = {0};
    CLEANUP(registration_fini) struct registration again = {0};
    CLEANUP(cleanup_free) void *data = NULL;
    const char *reason = NULL;
    size_t size = 0;

    enum busbar_status status = registration_decode(&read, vector->frame.data, vector->frame.size,
                                                    &reason);
    if (is_refused(vector)) {
        if (status != BUSBAR_BAD_REQUEST || reason == NULL)
            fail_msg("%s: status %d", vector->name, (int)status);
        assert_int_equal(read.method_count, 0);
        return;
    }
    if (status != BUSBAR_OK)
        fail_msg("%s: status %d, %s", vector->name, (int)status, reason ? reason : "no reason");
    check_registration(vector, &read);
    assert_int_equal(registration_encode(&read, &data, &size), BUSBAR_OK);
    assert_int_equal(registration_decode(&again, data, size, &reason), BUSBAR_OK);
    check_registration(vector, &again);
}

static void every_registration_vector_is_read_as_it_says(void **state)
{
    (void)state;
    CLEANUP(vectors_fini) struct vector_list list = {0};
    assert_true(vectors_load(&list, "tests/vectors/registrations.txt"));
    assert_true(list.count >= 20);
    for (size_t i = 0; i < list.count; i++)
        check_vector(&list.items[i]);
}

static void every_value_vector_is_taken_or_refused_as_it_says(void **state)
{
    (void)state;
    CLEANUP(vectors_fini) struct vector_list list = {0};
    assert_true(vectors_load(&list, "tests/vectors/values.txt"));
    assert_true(list.count >= 10);
    for (size_t i = 0; i < list.count; i++) {
        const struct vector *vector = &list.items[i];
        CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
        const char *reason = NULL;
        enum busbar_status status = busbar_value_decode(&value, vector->frame.data,
                                                        vector->frame.size, &reason);
        if (status != (is_refused(vector) ? BUSBAR_BAD_REQUEST : BUSBAR_OK))
            fail_msg("%s: status %d, %s", vector->name, (int)status, reason ? reason : "taken");
    }
}

static void a_registration_cut_anywhere_is_refused(void **state)
{
    (void)state;
    CLEANUP(vectors_fini) struct vector_list list = {0};
    assert_true(vectors_load(&list, "tests/vectors/registrations.txt"));
    const struct vector *vector = vectors_find(&list, "registration_of_two_methods");
    assert_non_null(vector);
    for (size_t size = 0; size < vector->frame.size; size++) {
        struct registration read = {0};
        const char *reason = NULL;
        CLEANUP(cleanup_free)
        uint8_t *cut = malloc(size + 1); /* so that a sanitizer sees its end */
        memcpy(cut, vector->frame.data, size);
        assert_int_equal(registration_decode(&read, cut, size, &reason), BUSBAR_BAD_REQUEST);
        assert_non_null(reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_registration_vector_is_read_as_it_says),
        cmocka_unit_test(every_value_vector_is_taken_or_refused_as_it_says),
        cmocka_unit_test(a_registration_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
