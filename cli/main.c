/* The command `busbar`: finds the subcommand in a table and runs it; each has its own file. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/report.h"

enum {
    WORD_MAX = 32,
    GUESS_DISTANCE = 2,
};

static int command_help(struct cli *cli, int argc, char **argv);

static const struct command commands[] = {
    {"call", "call a method of a service and print its result", command_call},
    {"services", "list the services on the bus", command_services},
    {"describe", "show the methods of a service", command_describe},
    {"stats", "show the counters of the broker", command_stats},
    {"drain", "let workers of a service finish, and give them no more calls", command_drain},
    {"worker", "host the services that a file exports", command_worker},
    {"serve", "make a service of any program", command_serve},
    {"bench", "measure calls per second and latency", command_bench},
    {"broker", "run the broker, busbard, in the foreground", command_broker},
    {"check", "show what a file for `worker` says, or what is wrong with it", command_check},
    {"help", "this text, or what `busbar COMMAND --help` says", command_help},
    {"bench-worker", NULL, command_bench_worker},
    {"bench-client", NULL, command_bench_client},
};

static int print_help(void)
{
    puts("Usage: busbar [--broker ENDPOINT] COMMAND …\n\nCommands:");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].help != NULL)
            printf("  %-9s  %s\n", commands[i].name, commands[i].help);
    }
    puts("\nOptions:\n"
         "  --broker ENDPOINT  the broker; else $BUSBAR_BROKER, else " BUSBAR_DEFAULT_BROKER "\n"
         "  --help             this text; `busbar COMMAND --help` says more of a command\n"
         "  --version          the version of this program\n\n"
         "Results go to stdout, messages to stderr. Exit codes:");
    exit_codes_print();
    return report_output();
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* How many letters of two short words must be changed, added or left out to make them alike. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0]++;
        for (size_t j = 0; j < width; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            size_t least = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = changed < least ? changed : least;
        }
    }
    return row[width];
}

static void report_unknown(const char *name)
{
    const char *nearest = NULL;
    size_t least = GUESS_DISTANCE + 1;
    for (size_t i = 0; i < ARRAY_SIZE(commands) && strlen(name) <= WORD_MAX; i++) {
        size_t far = commands[i].help != NULL ? distance(name, commands[i].name) : least;
        if (far < least) {
            least = far;
            nearest = commands[i].name;
        }
    }
    if (nearest != NULL)
        report("no such command: %s; did you mean %s?", name, nearest);
    else
        report("no such command: %s", name);
}

/* Descriptors 0 to 2 must be open, or a pipe made later would be taken for one of them. */
static void open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int usage_error(void)
{
    fputs("Usage: busbar [--broker ENDPOINT] COMMAND …; `busbar --help` lists the commands\n",
          stderr);
    return EXIT_CLASS_USAGE;
}

/* Reads the options before the subcommand; returns -1 to go on, else the exit code. */
static int read_options(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"broker", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "+:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'b':
            cli->broker = optarg;
            break;
        case 'h':
            return print_help();
        case 'v':
            puts("busbar " BUSBAR_VERSION);
            return report_output();
        default:
            report(option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
            return usage_error();
        }
    }
    return -1;
}

static int command_help(struct cli *cli, int argc, char **argv)
{
    char option[] = "--help";
    char *question[] = {argc > 1 ? argv[1] : NULL, option, NULL};
    if (argc < 2 || strcmp(argv[1], option) == 0)
        return print_help();
    const struct command *command = find_command(argv[1]);
    if (command != NULL && command->run != command_help)
        return command->run(cli, 2, question);
    report_unknown(argv[1]);
    return usage_error();
}

int main(int argc, char **argv)
{
    struct cli cli = {.broker = NULL};
    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    int code = read_options(&cli, argc, argv);
    if (code >= 0)
        return code;
    if (optind >= argc) {
        report("no command given");
        return usage_error();
    }
    const struct command *command = find_command(argv[optind]);
    if (command == NULL) {
        report_unknown(argv[optind]);
        return usage_error();
    }
    return command->run(&cli, argc - optind, argv + optind);
}
