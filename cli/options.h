/* Options and positional arguments of a subcommand, read by table; keeps getopt from the others. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* uint64_t, within least and most */
    OPTION_TIME,   /* uint32_t, ms; written as 2, 0.5, 2s, 500ms or 1m */
    OPTION_PAIR,   /* struct option_pairs; NAME=VALUE, may be given several times */
};

enum {
    OPTION_PAIRS_MAX = 64,
};

/* The words of the command line, cut at their first `=`. */
struct option_pairs {
    const char *words[2 * OPTION_PAIRS_MAX + 1]; /* name, value, …, NULL */
    size_t count;                                /* of pairs */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    void *target;
    const char *value; /* what the help calls the value, NULL for a flag */
    const char *help;
    uint64_t least;
    uint64_t most;
};

struct options {
    const char *usage; /* "call [OPTION…] SERVICE METHOD [ARG…]" */
    const char *text;  /* what it does, for --help */
    const struct option_row *rows;
    size_t count;
    int least;      /* positional arguments */
    int most;       /* -1: any number */
    int rest_after; /* after so many positional arguments nothing is an option; 0: never so */
};

struct arguments {
    char **items;
    int count;
};

enum {
    OPTIONS_GO_ON = -1,
};

/*
 * Reads argv, whose strings are then arranged anew. --broker and --help are options everywhere;
 * a negative number is no option. Returns OPTIONS_GO_ON, or the exit code to end with.
 */
int options_parse(const struct options *options, struct cli *cli, int argc, char **argv,
                  struct arguments *ret);

#endif
