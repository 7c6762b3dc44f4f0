/* `busbar describe`: what the workers of a service said of it when they registered. */
#include <stdio.h>
#include <string.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/table.h"

static const char *text_of(const struct busbar_value *map, const char *key)
{
    const char *text = busbar_value_as_text(busbar_value_get(map, key));
    return text != NULL ? text : "";
}

static void print_tags(const struct busbar_value *tags)
{
    for (size_t i = 0; i < busbar_value_count(tags); i++) {
        const char *name = busbar_value_as_text(busbar_value_key_at(tags, i));
        const char *value = busbar_value_as_text(busbar_value_value_at(tags, i));
        fputs("  ", stdout);
        table_print_text(name != NULL ? name : "?");
        putchar('=');
        table_print_text(value != NULL ? value : "?");
    }
}

/* Do two sessions tell the same of the service? Then they are two workers of one kind. */
static bool same_kind(const struct busbar_value *a, const struct busbar_value *b)
{
    static const char *const keys[] = {"version", "dialect", "tags", "methods"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct busbar_value *x = busbar_value_get(a, keys[i]);
        const struct busbar_value *y = busbar_value_get(b, keys[i]);
        if (x == NULL || y == NULL ? x != y : !busbar_value_equal(x, y))
            return false;
    }
    return true;
}

/* How many registrations are of the kind of the one at `index`; 0 if an earlier one is. */
static size_t count_kind(const struct busbar_value *registrations, size_t index)
{
    const struct busbar_value *registration = busbar_value_at(registrations, index);
    size_t count = 0;
    for (size_t i = 0; i < busbar_value_count(registrations); i++) {
        bool same = same_kind(busbar_value_at(registrations, i), registration);
        if (same && i < index)
            return 0;
        count += same;
    }
    return count;
}

/* How many of the kind of the one at `index` get no more calls. */
static size_t count_draining(const struct busbar_value *registrations, size_t index)
{
    const struct busbar_value *registration = busbar_value_at(registrations, index);
    size_t count = 0;
    for (size_t i = index; i < busbar_value_count(registrations); i++) {
        const struct busbar_value *other = busbar_value_at(registrations, i);
        count += same_kind(other, registration) &&
                 busbar_value_as_bool(busbar_value_get(other, "draining"));
    }
    return count;
}

/* What it is, of how many workers, and how many of these are drained. */
static void print_title(const char *service, const struct busbar_value *registration,
                        size_t workers, size_t draining)
{
    const char *version = text_of(registration, "version");
    const char *dialect = text_of(registration, "dialect");
    printf("%s%s", service, *version != '\0' ? " " : "");
    table_print_text(version);
    printf("  %zu worker%s%s", workers, workers == 1 ? "" : "s", *dialect != '\0' ? " of " : "");
    table_print_text(dialect);
    if (draining > 0)
        printf(", %zu drained", draining);
    print_tags(busbar_value_get(registration, "tags"));
    putchar('\n');
}

static int print_methods(const struct busbar_value *methods)
{
    CLEANUP(table_fini) struct table table;
    table_init(&table, "lll");
    for (size_t i = 0; i < busbar_value_count(methods); i++) {
        const struct busbar_value *method = busbar_value_at(methods, i);
        const char *signature = text_of(method, "signature");
        table_add(&table, "  %s(%s)", text_of(method, "name"),
                  *signature != '\0' ? signature : "?");
        table_add(&table, "%s",
                  busbar_value_as_bool(busbar_value_get(method, "idempotent")) ? "idempotent"
                                                                               : "-");
        table_add(&table, "%s", text_of(method, "text"));
    }
    return table_print(&table);
}

static int print_description(const struct busbar_value *description, const char *service)
{
    const struct busbar_value *registrations = busbar_value_get(description, "registrations");
    for (size_t i = 0; i < busbar_value_count(registrations); i++) {
        const struct busbar_value *registration = busbar_value_at(registrations, i);
        size_t workers = count_kind(registrations, i);
        if (workers == 0)
            continue;
        print_title(service, registration, workers, count_draining(registrations, i));
        if (*text_of(registration, "dialect") != '\0')
            puts("  any method; the body is raw bytes (busbar call --body)");
        int code = print_methods(busbar_value_get(registration, "methods"));
        if (code != 0)
            return code;
    }
    return report_output();
}

int command_describe(struct cli *cli, int argc, char **argv)
{
    bool json = false;
    const struct option_row rows[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON", 0, 0},
    };
    const struct options options = {
        .usage = "describe [OPTION…] SERVICE",
        .text = "Shows the methods of a service as name(arguments>result), whether each may be\n"
                "given to another worker after a loss (idempotent), and what it does.\n\n"
                "Letters of a signature:\n"
                "  b bool    i int32    u uint32    l int64    d double    f float    s S string\n"
                "  y y4 Y Y4 bytes    as AS list of strings    v any value    ? alone: not told\n"
                "A '?' after an argument allows null; a '*' before a result: one of several.\n"
                "A request is a list of the arguments, a reply one value; but a lone y on a side\n"
                "means that the body is raw bytes.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    CLEANUP(busbar_value_destroy) struct busbar_value *description = NULL;
    code = bus_query(cli, "describe", arguments.items[0], &description);
    if (code != 0)
        return code;
    return json ? bus_print_json(description) : print_description(description, arguments.items[0]);
}
