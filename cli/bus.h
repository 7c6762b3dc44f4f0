/* A client made from the command line's settings, and questions to the built-in service `bus`. */
#ifndef CLI_BUS_H
#define CLI_BUS_H

#include <busbar/client.h>

#include "cli/command.h"

/* 0, or the exit code after a message. */
int bus_connect(struct busbar_client **ret, const struct cli *cli, uint32_t timeout_ms);

/* The endpoint that --broker, the environment or the default names. */
const char *bus_endpoint(const struct cli *cli);

/* Says that it is none, and where it came from; the exit code. */
int bus_refuse_endpoint(const struct cli *cli);

/*
 * Calls the method of `bus` that `question` names with the string `about`, or with nothing if it is
 * NULL. `*ret` receives the value if the status is OK.
 */
enum busbar_status bus_ask(struct busbar_client *client, const struct busbar_call *question,
                           const char *about, struct busbar_value **ret);

/* Connects, asks with the default timeout, and reports what goes wrong: 0 or the exit code. */
int bus_query(const struct cli *cli, const char *method, const char *about,
              struct busbar_value **ret);

/* Prints a value as indented JSON and a newline; the exit code. */
int bus_print_json(const struct busbar_value *value);

#endif
