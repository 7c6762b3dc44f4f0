/* `busbar services`: what is on the bus, a line for each service. */
#include <inttypes.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/table.h"

/* A number, or how many elements a list has. */
static int64_t count_of(const struct busbar_value *service, const char *key)
{
    const struct busbar_value *value = busbar_value_get(service, key);
    if (busbar_value_type(value) == BUSBAR_LIST)
        return (int64_t)busbar_value_count(value);
    return busbar_value_as_int64(value);
}

static int print_table(const struct busbar_value *services)
{
    static const char *const titles[] = {"SERVICE", "WORKERS", "METHODS", "QUEUED", "RUNNING"};
    static const char *const keys[] = {"workers", "methods", "queued", "running"};
    CLEANUP(table_fini) struct table table;
    table_init(&table, "lrrrr");
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
        table_add(&table, "%s", titles[i]);
    for (size_t i = 0; i < busbar_value_count(services); i++) {
        const struct busbar_value *service = busbar_value_at(services, i);
        const char *name = busbar_value_as_text(busbar_value_get(service, "service"));
        table_add(&table, "%s", name != NULL ? name : "?");
        for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
            table_add(&table, "%" PRId64, count_of(service, keys[j]));
    }
    return table_print(&table);
}

int command_services(struct cli *cli, int argc, char **argv)
{
    bool json = false;
    const struct option_row rows[] = {
        {"json", OPTION_FLAG, &json, NULL, "print JSON", 0, 0},
    };
    const struct options options = {
        .usage = "services [OPTION…]",
        .text = "Lists the services on the bus: their workers, methods, and how many calls wait\n"
                "in the broker (QUEUED) and are with a worker (RUNNING) now. `queued` of\n"
                "`busbar stats` is another number: a counter of all that ever had to wait.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    CLEANUP(busbar_value_destroy) struct busbar_value *services = NULL;
    code = bus_query(cli, "list", NULL, &services);
    if (code != 0)
        return code;
    return json ? bus_print_json(services) : print_table(services);
}
