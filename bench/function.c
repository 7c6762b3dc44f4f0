/*
 * What a call of a local function costs through busbar_function, beside a bare libffi closure and
 * call of the same function; in turns, in one process, so that both meet the same machine.
 *   function [--limit RATIO]   PASS or FAIL for each; exit 1 if any failed
 */
#include <busbar/object.h>

#include <ffi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    ROUNDS = 21,
    CALLS = 200000, /* in one round */
};

static double add(double a, double b)
{
    return a + b;
}

static char *copy(const char *text)
{
    return strdup(text);
}

static const char *same(const char *text)
{
    return text;
}

typedef double add_function(double, double);
typedef char *copy_function(const char *);
typedef const char *same_function(const char *);

static const char greeting[] = "You got remote data => Hello";

static void call_add(void *code)
{
    add_function *function = (add_function *)code;
    static volatile double sum;
    sum = function(sum, 1);
}

static void call_copy(void *code)
{
    copy_function *function = (copy_function *)code;
    free(function(greeting));
}

static void call_same(void *code)
{
    same_function *function = (same_function *)code;
    (void)function(greeting);
}

static ffi_type *add_types[] = {&ffi_type_double, &ffi_type_double};
static ffi_type *text_types[] = {&ffi_type_pointer};

static struct row {
    const char *name;
    const char *signature;
    void *address;
    void (*call)(void *code);
    ffi_type *result;
    ffi_type **types;
    unsigned count;
} rows[] = {
    {"add", "dd>d", (void *)add, call_add, &ffi_type_double, add_types, 2},
    {"copy", "s>S", (void *)copy, call_copy, &ffi_type_pointer, text_types, 1},
    {"same", "s>s", (void *)same, call_same, &ffi_type_pointer, text_types, 1},
};

static void enter_bare(ffi_cif *cif, void *ret, void **arguments, void *address)
{
    ffi_call(cif, FFI_FN(address), ret, arguments);
}

/* The row's function as a bare closure; NULL if there can be none. */
static ffi_closure *bare_new(const struct row *row, ffi_cif *cif, void **ret_code)
{
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, ret_code);
    if (closure != NULL &&
        ffi_prep_cif(cif, FFI_DEFAULT_ABI, row->count, row->result, row->types) == FFI_OK &&
        ffi_prep_closure_loc(closure, cif, enter_bare, row->address, *ret_code) == FFI_OK)
        return closure;
    if (closure != NULL)
        ffi_closure_free(closure);
    return NULL;
}

static double ns_of(const struct row *row, void *code)
{
    uint64_t start = clock_ns();
    for (int i = 0; i < CALLS; i++)
        row->call(code);
    return (double)(clock_ns() - start) / CALLS;
}

static int compare(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

static double median(double numbers[ROUNDS])
{
    qsort(numbers, ROUNDS, sizeof numbers[0], compare);
    return numbers[ROUNDS / 2];
}

static bool judge(const struct row *row, void *bare_code, void *code, double limit)
{
    double bare[ROUNDS];
    double ours[ROUNDS];
    double ratios[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = ns_of(row, bare_code);
        ours[i] = ns_of(row, code);
        ratios[i] = ours[i] / bare[i];
    }
    double ratio = median(ratios);
    printf("%s %s: bare libffi %.1f ns, busbar_function %.1f ns, at most %g times it: %.2f "
           "(%.2f-%.2f)\n",
           ratio <= limit ? "PASS" : "FAIL", row->signature, median(bare), median(ours), limit,
           ratio, ratios[0], ratios[ROUNDS - 1]);
    return ratio <= limit;
}

static bool measure(struct busbar_object *object, const struct row *row, double limit)
{
    ffi_cif cif;
    void *bare_code = NULL;
    void *code = busbar_function(object, row->name);
    ffi_closure *bare = bare_new(row, &cif, &bare_code);
    bool ok = code != NULL && bare != NULL && judge(row, bare_code, code, limit);
    if (code == NULL || bare == NULL)
        printf("FAIL %s: %s\n", row->signature,
               code == NULL ? busbar_last_error() : "libffi has no closure");
    if (bare != NULL)
        ffi_closure_free(bare);
    return ok;
}

int main(int argc, char **argv)
{
    double limit = argc == 3 && strcmp(argv[1], "--limit") == 0 ? strtod(argv[2], NULL) : 5;
    struct busbar_function functions[ARRAY_SIZE(rows)] = {{.name = NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        functions[i] = (struct busbar_function){
            .name = rows[i].name, .signature = rows[i].signature, .address = rows[i].address};
    struct busbar_library_options options = {.functions = functions,
                                             .function_count = ARRAY_SIZE(rows)};
    CLEANUP(busbar_object_destroy) struct busbar_object *object = NULL;
    if (busbar_library_new(&object, &options) != BUSBAR_OK) {
        fprintf(stderr, "function: %s\n", busbar_last_error());
        return 2;
    }
    bool ok = true;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ok = measure(object, &rows[i], limit) && ok;
    return ok ? 0 : 1;
}
