/* `busbar stats`: the counters of the broker, a line for each. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/bus.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/table.h"

enum {
    NAME_SIZE = 256,
};

/* Adds a row for each leaf; names of maps within maps are joined by dots. */
static void add_counters(struct table *table, const struct busbar_value *map, const char *prefix)
{
    for (size_t i = 0; i < busbar_value_count(map); i++) {
        char name[NAME_SIZE];
        const char *key = busbar_value_as_text(busbar_value_key_at(map, i));
        const struct busbar_value *value = busbar_value_value_at(map, i);
        snprintf(name, sizeof name, "%s%s", prefix, key != NULL ? key : "?");
        if (busbar_value_type(value) == BUSBAR_MAP) {
            char inner[NAME_SIZE + 1];
            snprintf(inner, sizeof inner, "%s.", name);
            add_counters(table, value, inner);
            continue;
        }
        char *text = json_from_value(value, 0);
        table_add(table, "%s", name);
        table_add(table, "%s", text != NULL ? text : "?");
        free(text);
    }
}

int command_stats(struct cli *cli, int argc, char **argv)
{
    bool json = false;
    const struct option_row rows[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON", 0, 0},
    };
    const struct options options = {
        .usage = "stats [OPTION…]",
        .text =
            "Shows what the broker has counted since it started. `queued` counts all calls that\n"
            "had to wait; how many wait now is the QUEUED of `busbar services`.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    CLEANUP(busbar_value_destroy) struct busbar_value *stats = NULL;
    code = bus_query(cli, "stats", NULL, &stats);
    if (code != 0)
        return code;
    if (json)
        return bus_print_json(stats);
    CLEANUP(table_fini) struct table table;
    table_init(&table, "lr");
    add_counters(&table, stats, "");
    return table_print(&table);
}
