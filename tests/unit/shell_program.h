/* What the tests of programs share: shell commands, run as a program is. */
#ifndef TESTS_UNIT_SHELL_PROGRAM_H
#define TESTS_UNIT_SHELL_PROGRAM_H

#include "objects/program.h"

/* Runs a shell command; what `how` leaves zero has no bound. The caller frees the output. */
struct program_result shell(const char *command, struct program how);

/* Fails unless it ends well and writes this. */
void assert_output(const char *command, struct program how, const char *expected);

/* How many the process has open. */
size_t count_descriptors(void);

#endif
