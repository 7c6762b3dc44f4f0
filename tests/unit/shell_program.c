/* Shell commands for the tests of programs. */
#include "tests/unit/shell_program.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    LIMIT = 16 * 1024 * 1024,
};

struct program_result shell(const char *command, struct program how)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    struct program_result result;
    how.path = "/bin/sh";
    how.argv = argv;
    if (how.output_max == 0)
        how.output_max = LIMIT;
    if (how.deadline_ms == 0)
        how.deadline_ms = UINT64_MAX;
    program_run(&how, &result);
    return result;
}

void assert_output(const char *command, struct program how, const char *expected)
{
    struct program_result result = shell(command, how);
    if (result.end != PROGRAM_EXITED || result.code != 0)
        fail_msg("%s: end %d, code %d: %s", command, result.end, result.code, result.tail);
    assert_int_equal(result.output_size, strlen(expected));
    assert_memory_equal(result.output != NULL ? result.output : "", expected, strlen(expected));
    free(result.output);
}

size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}
