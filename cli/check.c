/* `busbar check`: what a configuration file says in effect, or all that is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <busbar/app.h>

#include "cli/broker.h"
#include "cli/options.h"
#include "cli/report.h"

static const char *const keys[] = {"objects", "exports", "broker", "overlay"};

static bool begins_with_key(const char *line)
{
    bool found = false;
    line += strncmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    line += strspn(line, "\"'");
    for (size_t i = 0; i < ARRAY_SIZE(keys) && !found; i++) {
        size_t length = strlen(keys[i]);
        found = strncmp(line, keys[i], length) == 0 &&
                line[length + strspn(line + length, "\"' ")] == ':';
    }
    return found;
}

static bool holds_key(const char *line)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(keys) && !found; i++)
        found = strstr(line, keys[i]) != NULL;
    return found;
}

/* In a map in braces a key can be anywhere. */
static bool text_has_key(FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false, braces = false;
    while (!found && getline(&line, &size, file) >= 0) {
        braces = braces || line[0] == '{';
        found = begins_with_key(line) || (braces && holds_key(line));
    }
    free(line);
    return found;
}

/*
 * Has it a key that only the file of an application has? One that cannot be read has none. What can
 * be read only once, such as a pipe, is taken for an application's.
 */
static bool is_application(const char *path)
{
    struct stat status;
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : -1;
    if ((is_stdin ? fstat(fd, &status) : stat(path, &status)) != 0 || S_ISDIR(status.st_mode))
        return false;
    if (!S_ISREG(status.st_mode))
        return true;
    off_t start = is_stdin ? lseek(fd, 0, SEEK_CUR) : 0;
    FILE *file = is_stdin ? fdopen(dup(fd), "r") : fopen(path, "re");
    bool found = file != NULL && text_has_key(file);
    if (file != NULL)
        fclose(file);
    if (is_stdin)
        lseek(fd, start, SEEK_SET);
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
