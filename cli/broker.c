/* `busbar broker` and `busbar check`: busbard does the work of both. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
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

/* Runs busbard to its end; the exit code. */
static int run_busbard(char *const *argv)
{
    int state = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(become_busbard(argv));
    while (pid > 0 && waitpid(pid, &state, 0) < 0) {
        if (errno != EINTR)
            pid = -1;
    }
    if (pid < 0) {
        report("cannot run busbard: %s", strerror(errno));
        return EXIT_CLASS_INTERNAL;
    }
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
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

int command_check(struct cli *cli, int argc, char **argv)
{
    const struct options options = {
        .usage = "check FILE",
        .text = "Checks a configuration file of the broker without starting anything. What is\n"
                "wrong is printed as `file:line:column: what` to stderr, and the exit code is 2;\n"
                "if nothing is, `FILE: ok` is printed.",
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    char name[] = "busbard", check[] = "--check", config[] = "--config";
    char *const command[] = {name, check, config, arguments.items[0], NULL};
    code = run_busbard(command);
    if (code != 0)
        return code;
    printf("%s: ok\n", arguments.items[0]);
    return report_output();
}
