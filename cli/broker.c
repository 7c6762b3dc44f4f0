/* `busbar broker`: becomes busbard. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/path.h"
#include "cli/report.h"

static int become_busbard(char *const *argv)
{
    char path[PATH_SIZE];
    if (!path_of_busbard(path)) {
        report("busbard is neither beside busbar nor in the PATH");
        return EXIT_CLASS_NOT_FOUND;
    }
    signal(SIGPIPE, SIG_DFL);
    execv(path, argv);
    report("cannot execute %s: %s", path, strerror(errno));
    return EXIT_CLASS_NOT_EXECUTABLE;
}

int command_broker(struct cli *cli, int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: busbar broker [ARGUMENT…]\n\n"
             "Runs busbard, the broker, in the foreground with the same arguments:");
        if (fflush(stdout) != 0)
            return report_output();
    } else if (cli->broker != NULL) {
        report("a broker is told where to listen by `busbar broker --bind ENDPOINT`");
        return EXIT_CLASS_USAGE;
    }
    char name[] = "busbard";
    argv[0] = name;
    return become_busbard(argv);
}
