/* Overlays: how files are found and laid over each other, whose places the errors have. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    FILES_MAX = 4,
};

static char directory[] = "/tmp/busbar-layers-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && chdir(directory) == 0 && mkdir("sub", 0700) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir("sub") == 0 && chdir("/") == 0 ? rmdir(directory) : -1;
}

struct file {
    const char *name;
    const char *text;
};

static void write_files(const struct file *files, size_t count)
{
    for (size_t i = 0; i < count && files[i].name != NULL; i++) {
        FILE *out = fopen(files[i].name, "w");
        assert_non_null(out);
        fputs(files[i].text, out);
        fclose(out);
    }
}

static void remove_files(const struct file *files, size_t count)
{
    for (size_t i = 0; i < count && files[i].name != NULL; i++)
        unlink(files[i].name);
}

/* Keys and values in one line, as {a: 1, b: [2]}; nulls are ~. */
static void print_node(const struct settings_node *node, FILE *out)
{
    if (node->key != NULL)
        fprintf(out, "%s: ", node->key);
    if (node->kind == SETTINGS_SCALAR)
        fputs(node->text == NULL ? "?" : settings_node_is_null(node) ? "~" : node->text, out);
    else
        fputc(node->kind == SETTINGS_MAPPING ? '{' : '[', out);
    for (const struct settings_node *child = node->first; child != NULL; child = child->next) {
        fputs(child == node->first ? "" : ", ", out);
        assert_ptr_equal(child->parent, node);
        print_node(child, out);
    }
    if (node->kind != SETTINGS_SCALAR)
        fputc(node->kind == SETTINGS_MAPPING ? '}' : ']', out);
}

static char *tree_text(const struct settings_document *document)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (document != NULL)
        print_node(document->root, out);
    fclose(out);
    return text;
}

/* The first file is the one that is loaded. */
static const struct {
    struct file files[FILES_MAX];
    const char *tree;
    const char *errors; /* NULL: none */
} rows[] = {
    {{{"f", "a: 1\nb: {c: 2}\n"}}, "{a: 1, b: {c: 2}}", NULL},
    {{{"f", "overlay: g\na: 1\nb: {c: 2, d: 3}\n"}, {"g", "b: {d: 4, e: 5}\nz: 6\n"}},
     "{a: 1, b: {c: 2, d: 4, e: 5}, z: 6}",
     NULL},
    {{{"f", "a: 1\nb: [1, 2]\nc: {x: 1}\nd: 4\noverlay: [g]\n"},
      {"g", "a: [3]\nb: {y: 1}\nc: 5\nd: {z: 1}\n"}},
     "{a: [3], b: {y: 1}, c: 5, d: {z: 1}}",
     NULL},
    {{{"f", "overlay: [g, h]\na: 1\nb: 1\nc: 1\n"}, {"g", "a: 2\nb: 2\n"}, {"h", "b: 3\n"}},
     "{a: 2, b: 3, c: 1}",
     NULL},
    {{{"f", "overlay: g\na: 1\nb: {c: 1, d: 2}\ne: 1\n"}, {"g", "a: ~\nb: {c: null}\ne:\nx: ~\n"}},
     "{b: {d: 2}}",
     NULL},
    {{{"f", "overlay: g\na: 1\nn: ~\n"}, {"g", "m: {x: ~, y: {z: ~}, l: [~]}\na: {q: ~, r: 1}\n"}},
     "{a: {r: 1}, n: ~, m: {y: {}, l: [~]}}",
     NULL},
    {{{"f", "overlay: g\na: 1\n"}, {"g", "a: ~\noverlay: h\n"}, {"h", "a: {b: 1}\n"}},
     "{a: {b: 1}}",
     NULL},
    {{{"f", "overlay: g\na: {x: 1}\n"}, {"g", "a: 5\noverlay: h\n"}, {"h", "a: {y: 1}\n"}},
     "{a: {y: 1}}",
     NULL},
    {{{"f", "overlay: g\na: 1\n"}, {"g", "overlay: h\nb: 1\n"}, {"h", "a: ~\n"}}, "{b: 1}", NULL},
    {{{"f", "overlay: sub/g\na: 1\n"}, {"sub/g", "overlay: h\na: 2\n"}, {"sub/h", "a: 3\n"}},
     "{a: 3}",
     NULL},
    {{{"f", "overlay: sub/g\na: 1\n"}, {"sub/g", "overlay: ../h\na: 2\n"}, {"h", "a: 3\n"}},
     "{a: 3}",
     NULL},
    {{{"f", "overlay: [g, g]\na: 1\n"}, {"g", "a: 2\n"}}, "{a: 2}", NULL},
    {{{"f", "overlay: \"${LAYERS_UNSET:-}\"\na: 1\n"}}, "{a: 1}", NULL},
    {{{"f", "overlay: ${LAYERS_UNSET:-}\na: 1\n"}}, "{a: 1}", NULL},
    {{{"f", "overlay: ['', ~, g]\na: 1\n"}, {"g", ""}}, "{a: 1}", NULL},
    {{{"f", "overlay:\na: 1\n"}}, "{a: 1}", NULL},
    {{{"f", "overlay: ${LAYERS_NAME}.yaml\na: 1\n"}, {"g.yaml", "a: ${LAYERS_NAME}\n"}},
     "{a: g}",
     NULL},
    {{{"f", "- overlay\n"}}, "[overlay]", NULL},

    {{{"f", "overlay: f\na: 1\n"}},
     "{a: 1}",
     "1:10: a file must not be its own overlay: \"f\" -> \"f\""},
    {{{"f", "overlay: sub/g\na: 1\n"},
      {"sub/g", "b: 2\noverlay: [h]\n"},
      {"sub/h", "overlay: ../f"}},
     "{a: 1, b: 2}",
     "sub/h:1:10: a file must not be its own overlay: \"f\" -> \"sub/g\" -> \"sub/h\" -> "
     "\"sub/../f\""},
    {{{"f", "overlay: [none, g]\na: 1\n"}, {"g", "a: 2\n"}},
     "{a: 2}",
     "1:11: the overlay \"none\" cannot be read: No such file or directory"},
    {{{"f", "overlay: {a: b}\na: 1\n"}},
     "{a: 1}",
     "1:10: overlay must be the name of a file or a list of names, not a map"},
    {{{"f", "overlay: [[a], -, \"a\\nb\"]\na: 1\n"}},
     "{a: 1}",
     "1:11: overlay must be the name of a file\n"
     "1:16: overlay must be the name of a file; stdin cannot be an overlay\n"
     "1:19: overlay must be the name of a file, without control characters"},
    {{{"f", "overlay: g\na: 1\n"}, {"g", "- a\n"}},
     "{a: 1}",
     "g:1:1: an overlay must be a map of KEY: VALUE"},
    {{{"f", "overlay: g\na: &x 1\nb: ${LAYERS_UNSET}\n"}, {"g", "c: *x\n"}},
     "{a: 1, b: ${LAYERS_UNSET}, c: ?}",
     "2:4: anchors (&) are not supported; write the value out where it is used\n"
     "3:4: the variable LAYERS_UNSET is not set; set it, or write ${LAYERS_UNSET:-default}\n"
     "g:1:4: aliases (*) are not supported; write the value out"},
    {{{"f", "a: 1\noverlay: [g, h]\n"}, {"g", "a: [\n"}, {"h", "a: 3\n"}},
     "{a: 3}",
     "g:2:1: did not find expected node content while parsing a flow node"},
    {{{"f", "a: [\noverlay: g\n"}, {"g", "b: *x\n"}},
     "",
     "3:1: did not find expected ',' or ']' while parsing a flow sequence that starts on line 1; "
     "close the list with ]"},
    {{{"f", "overlay: g\na: 1\na: 2\n"}, {"g", "a: 3\nb: 1\nb: 2\n"}},
     NULL,
     "3:1: duplicate key \"a\"; it is already on line 2, keep one of them\n"
     "g:3:1: duplicate key \"b\"; it is already on line 2, keep one of them"},
    {{{"f", "overlay: g\noverlay: g\na: 1\n"}, {"g", "a: 2\n"}},
     "{a: 2}",
     "2:1: duplicate key \"overlay\"; it is already on line 1, keep one of them"},
};

static void files_are_laid_over_each_other(void **state)
{
    (void)state;
    setenv("LAYERS_NAME", "g", 1);
    unsetenv("LAYERS_UNSET");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
        settings_errors_init(&errors);
        write_files(rows[i].files, FILES_MAX);
        bool good = settings_document_load_layers(&document, "f", &errors);
        remove_files(rows[i].files, FILES_MAX);
        settings_errors_sort(&errors, 0);
        assert_errors(&errors, rows[i].files[0].text, rows[i].errors != NULL ? rows[i].errors : "");
        assert_int_equal(good, rows[i].errors == NULL);
        CLEANUP(cleanup_free) char *tree = tree_text(document);
        if (rows[i].tree != NULL)
            assert_string_equal(tree, rows[i].tree);
    }
}

static void nodes_keep_their_places_and_the_document_its_files(void **state)
{
    (void)state;
    static const struct file files[] = {
        {"f", "a: 1\nb: {c: 2}\noverlay: [sub/g, h]\n"},
        {"sub/g", "\n\na: 3\n"},
        {"h", "b: {d: 4}\n"},
    };
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    char path[64];
    settings_errors_init(&errors);
    write_files(files, ARRAY_SIZE(files));
    snprintf(path, sizeof path, "%s/f", directory);
    assert_true(settings_document_load_layers(&document, path, &errors));
    remove_files(files, ARRAY_SIZE(files));
    assert_string_equal(settings_document_file(document, 0), path);
    assert_null(settings_document_file(document, 3));
    const struct settings_node *a = settings_node_find(document->root, "a");
    const struct settings_node *b = settings_node_find(document->root, "b");
    assert_string_equal(a->place.file, settings_document_file(document, 1));
    assert_int_equal(a->key_place.line, 3);
    assert_string_equal(b->place.file, path);
    assert_string_equal(b->first->place.file, path);
    assert_string_equal(b->last->place.file, settings_document_file(document, 2));
    settings_node_complain(&errors, b->last, "third");
    settings_node_complain(&errors, NULL, "last");
    settings_node_complain(&errors, a, "second");
    settings_node_complain(&errors, b->first, "first");
    settings_errors_sort(&errors, 0);
    static const char *const order[] = {"first", "second", "third", "last"};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        assert_non_null(strstr(settings_errors_line(&errors, i), order[i]));
}

/* A chain of files, each the overlay of the one before: 0 of 1 of 2. */
static void at_most_16_files_are_read(void **state)
{
    (void)state;
    for (int count = 16; count <= 17; count++) {
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
        char name[17][8];
        char text[17][32];
        struct file files[17] = {{0}};
        settings_errors_init(&errors);
        for (int i = 0; i < count; i++) {
            snprintf(name[i], sizeof name[i], "f%d", i);
            snprintf(text[i], sizeof text[i], "k%d: 1\noverlay: %sf%d\n", i,
                     i + 1 < count ? "" : "#", i + 1);
            files[i] = (struct file){name[i], text[i]};
        }
        write_files(files, ARRAY_SIZE(files));
        assert_int_equal(settings_document_load_layers(&document, "f0", &errors), count == 16);
        remove_files(files, ARRAY_SIZE(files));
        assert_int_equal(document->root->count, 16);
        if (count == 17)
            assert_string_equal(settings_errors_line(&errors, 0),
                                "f15:2:10: too many files; a file with its overlays may be 16");
    }
}

/* Each names itself and others many times over: the bound holds for all of them together. */
static void a_thicket_of_overlays_ends(void **state)
{
    (void)state;
    static const struct file files[] = {
        {"f", "overlay: [g, g, g, g, f]\n"},
        {"g", "overlay: [h, h, h, h, f]\n"},
        {"h", "overlay: [i, i, i, i, g]\n"},
        {"i", "a: 1\n"},
    };
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    settings_errors_init(&errors);
    write_files(files, ARRAY_SIZE(files));
    assert_false(settings_document_load_layers(&document, "f", &errors));
    remove_files(files, ARRAY_SIZE(files));
    assert_null(settings_document_file(document, SETTINGS_FILES));
    assert_true(errors.count < SETTINGS_ERRORS_KEPT);
}

static void large_maps_are_merged_in_time(void **state)
{
    (void)state;
    static const char *const names[] = {"f", "g"};
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    settings_errors_init(&errors);
    for (int i = 0; i < 2; i++) {
        FILE *out = fopen(names[i], "w");
        fputs(i == 0 ? "overlay: g\n" : "", out);
        for (int j = 0; j < 60000; j++)
            fprintf(out, "%d: %d\n", (j * 7919 + i * 30000) % 90000, i);
        fclose(out);
    }
    assert_true(settings_document_load_layers(&document, "f", &errors));
    unlink("f");
    unlink("g");
    assert_true(document->root->count > 60000);
    assert_string_equal(document->root->first->key, "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_laid_over_each_other),
        cmocka_unit_test(nodes_keep_their_places_and_the_document_its_files),
        cmocka_unit_test(at_most_16_files_are_read),
        cmocka_unit_test(a_thicket_of_overlays_ends),
        cmocka_unit_test(large_maps_are_merged_in_time),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
