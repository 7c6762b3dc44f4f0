/* `busbar check`: what a configuration file says in effect, or all that is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/app.h>

#include "cli/broker.h"
#include "cli/options.h"
#include "cli/report.h"

/* Has it a key that only the file of an application has? One that cannot be read has none. */
static bool is_application(const char *path)
{
    static const char *const keys[] = {"objects:", "exports:", "broker:"};
    FILE *file = strcmp(path, "-") != 0 ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (file != NULL && !found && getline(&line, &size, file) >= 0) {
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
            found = found || strncmp(line, keys[i], strlen(keys[i])) == 0;
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return found;
}

static int check_application(const char *path)
{
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    enum busbar_status status = busbar_app_read(&app, path);
    if (status == BUSBAR_BAD_CONFIG) {
        fprintf(stderr, "%s\n", busbar_last_error());
        return EXIT_CLASS_USAGE;
    }
    if (status != BUSBAR_OK)
        return report_status(status, busbar_last_fate(), busbar_last_error());
    busbar_app_dump(app, stdout);
    return report_output();
}

int command_check(struct cli *cli, int argc, char **argv)
{
    const struct options options = {
        .usage = "check FILE",
        .text = "Prints what a configuration file says in effect, of an application (one with\n"
                "objects, exports or broker) or of a broker, without starting anything. All that\n"
                "is wrong is printed to stderr as `file:line:column: what`; the exit code is 2.",
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    if (is_application(arguments.items[0]))
        return check_application(arguments.items[0]);
    char name[] = "busbard", dump[] = "--dump", config[] = "--config";
    char *const command[] = {name, dump, config, arguments.items[0], NULL};
    return broker_run_busbard(command);
}
