/* What every subcommand is, and the settings that hold for all of them. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>

/* Runs `destroy(&variable)` when the variable leaves its scope. */
#define CLEANUP(destroy) __attribute__((cleanup(destroy)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What was said before the name of the subcommand, or is an option of all of them. */
struct cli {
    const char *broker; /* NULL: $BUSBAR_BROKER or the library's default */
};

struct command {
    const char *name;
    const char *help; /* one line; NULL for commands that only this program itself runs */
    int (*run)(struct cli *cli, int argc, char **argv); /* returns the exit code */
};

int command_bench(struct cli *cli, int argc, char **argv);
int command_bench_client(struct cli *cli, int argc, char **argv);
int command_bench_worker(struct cli *cli, int argc, char **argv);
int command_broker(struct cli *cli, int argc, char **argv);
int command_call(struct cli *cli, int argc, char **argv);
int command_check(struct cli *cli, int argc, char **argv);
int command_describe(struct cli *cli, int argc, char **argv);
int command_drain(struct cli *cli, int argc, char **argv);
int command_serve(struct cli *cli, int argc, char **argv);
int command_services(struct cli *cli, int argc, char **argv);
int command_stats(struct cli *cli, int argc, char **argv);
int command_worker(struct cli *cli, int argc, char **argv);

#endif
