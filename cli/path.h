/* Where programs lie: the PATH, and what stands beside busbar itself. */
#ifndef CLI_PATH_H
#define CLI_PATH_H

#include <stdbool.h>

enum {
    PATH_SIZE = 4096,
};

/* The file of busbard: beside this program, else by the PATH. */
bool path_of_busbard(char path[PATH_SIZE]);

/* The file of this program. */
bool path_of_busbar(char path[PATH_SIZE]);

/*
 * Looks a command up as a shell does. Returns 0, or EXIT_CLASS_NOT_FOUND or
 * EXIT_CLASS_NOT_EXECUTABLE.
 */
int path_of_command(const char *command, char path[PATH_SIZE]);

#endif
