/* `busbar check`: what the file of an application says in effect, or all that is wrong with it. */
#include <stdio.h>

#include <busbar/app.h>

#include "cli/options.h"
#include "cli/report.h"

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
        .text =
            "Prints what the file of an application says in effect (-: stdin), without starting\n"
            "anything. All that is wrong is printed to stderr as `file:line:column: what`; the\n"
            "exit code is 2. For the file of a broker: `busbar broker --config FILE --dump`.",
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    return code == OPTIONS_GO_ON ? check_application(arguments.items[0]) : code;
}
