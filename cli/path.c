/* Looking up of programs. */
#include "cli/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/report.h"

static int judge(const char *path)
{
    struct stat state;
    if (stat(path, &state) != 0)
        return EXIT_CLASS_NOT_FOUND;
    if (!S_ISREG(state.st_mode) || access(path, X_OK) != 0)
        return EXIT_CLASS_NOT_EXECUTABLE;
    return 0;
}

bool path_of_busbar(char path[PATH_SIZE])
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_SIZE - 1);
    if (size <= 0)
        return false;
    path[size] = '\0';
    return true;
}

/* The program of that name beside this one. */
static bool path_beside(const char *name, char path[PATH_SIZE])
{
    if (!path_of_busbar(path))
        return false;
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return false;
    size_t left = PATH_SIZE - (size_t)(slash - path);
    return (size_t)snprintf(slash, left, "/%s", name) < left && judge(path) == 0;
}

bool path_of_busbard(char path[PATH_SIZE])
{
    return path_beside("busbard", path) || path_of_command("busbard", path) == 0;
}

int path_of_command(const char *command, char path[PATH_SIZE])
{
    if (strchr(command, '/') != NULL) {
        if (snprintf(path, PATH_SIZE, "%s", command) >= PATH_SIZE)
            return EXIT_CLASS_NOT_FOUND;
        return judge(path);
    }
    const char *directory = getenv("PATH");
    if (directory == NULL)
        directory = "/usr/local/bin:/usr/bin:/bin";
    int best = EXIT_CLASS_NOT_FOUND;
    for (; *command != '\0'; directory++) {
        int size = (int)strcspn(directory, ":");
        int written = size > 0 ? snprintf(path, PATH_SIZE, "%.*s/%s", size, directory, command)
                               : snprintf(path, PATH_SIZE, "./%s", command);
        int judgement = written < PATH_SIZE ? judge(path) : EXIT_CLASS_NOT_FOUND;
        if (judgement == 0)
            return 0;
        if (judgement == EXIT_CLASS_NOT_EXECUTABLE)
            best = judgement;
        directory += size;
        if (*directory == '\0')
            break;
    }
    return best;
}
