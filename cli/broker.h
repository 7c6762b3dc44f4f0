/* Runs busbard, which is beside this program or in the PATH. */
#ifndef CLI_BROKER_H
#define CLI_BROKER_H

/* Runs it to its end with these arguments, the first of which is a name; its exit code. */
int broker_run_busbard(char *const *argv);

#endif
