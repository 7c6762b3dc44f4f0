/* Reading of options by table, on getopt_long in the order of the command line. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

enum {
    ROWS_MAX = 16,
    TIME_MAX_MINUTES = INT32_MAX / 60000,
    ROW_BASE = 256, /* what getopt returns for the first row */
};

/* The rows of one subcommand and those all have, with getopt's own table beside them. */
struct parser {
    const struct options *options;
    struct option_row rows[ROWS_MAX];
    struct option longs[ROWS_MAX + 1];
    size_t count;
    bool help;
};

static void parser_init(struct parser *parser, const struct options *options, struct cli *cli)
{
    *parser = (struct parser){.options = options, .count = options->count + 2};
    for (size_t i = 0; i < options->count; i++)
        parser->rows[i] = options->rows[i];
    parser->rows[options->count] = (struct option_row){
        "broker",
        OPTION_TEXT,
        &cli->broker,
        "ENDPOINT",
        "the broker, such as tcp://127.0.0.1:7766; several with commas between them",
        0,
        0};
    parser->rows[options->count + 1] = (struct option_row){
        "help", OPTION_FLAG, &parser->help, NULL, "this text", 0, 0};
    for (size_t i = 0; i < parser->count; i++) {
        parser->longs[i] = (struct option){
            .name = parser->rows[i].name,
            .has_arg = parser->rows[i].value != NULL ? required_argument : no_argument,
            .val = ROW_BASE + (int)i,
        };
    }
}

static int print_help(const struct parser *parser)
{
    printf("Usage: busbar %s\n\n%s\n\nOptions:\n", parser->options->usage, parser->options->text);
    for (size_t i = 0; i < parser->count; i++) {
        const struct option_row *row = &parser->rows[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->value != NULL ? " " : "",
                 row->value != NULL ? row->value : "");
        printf("  %-20s  %s\n", left, row->help);
    }
    return report_output();
}

static int usage_error(const struct options *options)
{
    fprintf(stderr, "Usage: busbar %s\n", options->usage);
    return EXIT_CLASS_USAGE;
}

static bool read_number(const struct option_row *row, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < row->least ||
        number > row->most) {
        report("--%s takes a whole number from %llu to %llu, not \"%s\"", row->name,
               (unsigned long long)row->least, (unsigned long long)row->most, text);
        return false;
    }
    *(uint64_t *)row->target = number;
    return true;
}

static bool read_time(const struct option_row *row, const char *text)
{
    static const struct {
        const char *suffix;
        double milliseconds;
    } units[] = {{"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 60e3}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; i < ARRAY_SIZE(units) && end != text; i++) {
        double milliseconds = number * units[i].milliseconds;
        if (strcmp(end, units[i].suffix) == 0 && milliseconds >= 1 &&
            milliseconds <= TIME_MAX_MINUTES * 60e3) {
            *(uint32_t *)row->target = (uint32_t)milliseconds;
            return true;
        }
    }
    report("--%s takes a time from 1ms to %dm, such as 2, 0.5, 500ms or 1m, not \"%s\"", row->name,
           TIME_MAX_MINUTES, text);
    return false;
}

static bool read_pair(const struct option_row *row, char *text)
{
    struct option_pairs *pairs = row->target;
    char *value = strchr(text, '=');
    if (value == NULL || value == text) {
        report("--%s takes NAME=VALUE, not \"%s\"", row->name, text);
        return false;
    }
    if (pairs->count == OPTION_PAIRS_MAX) {
        report("--%s can be given %d times", row->name, OPTION_PAIRS_MAX);
        return false;
    }
    *value++ = '\0';
    pairs->words[2 * pairs->count] = text;
    pairs->words[2 * pairs->count + 1] = value;
    pairs->count++;
    return true;
}

static bool read_row(const struct option_row *row, char *text)
{
    if (row->target == NULL)
        return false;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->target = true;
        return true;
    case OPTION_TEXT:
        *(const char **)row->target = text;
        return true;
    case OPTION_NUMBER:
        return read_number(row, text);
    case OPTION_TIME:
        return read_time(row, text);
    case OPTION_PAIR:
        return read_pair(row, text);
    }
    return false;
}

static bool is_negative_number(const char *text)
{
    return text[0] == '-' && (isdigit((unsigned char)text[1]) || text[1] == '.');
}

/* One step of getopt, or the next word itself if it is a negative number. */
static int next_option(const struct parser *parser, int argc, char **argv)
{
    if (optind > 0 && optind < argc && is_negative_number(argv[optind])) {
        optarg = argv[optind++];
        return 1;
    }
    return getopt_long(argc, argv, "-:h", parser->longs, NULL);
}

/* Positional arguments gather at the front of argv, where everything has been read already. */
static bool read_all(struct parser *parser, int argc, char **argv, struct arguments *arguments)
{
    const struct options *options = parser->options;
    optind = 0;
    while (options->rest_after == 0 || arguments->count < options->rest_after) {
        int option = next_option(parser, argc, argv);
        if (option == -1)
            break;
        if (option == 1) {
            arguments->items[arguments->count++] = optarg;
        } else if (option == 'h') {
            parser->help = true;
        } else if (option >= ROW_BASE) {
            if (!read_row(&parser->rows[option - ROW_BASE], optarg))
                return false;
        } else {
            report(option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
            return false;
        }
    }
    while (optind < argc)
        arguments->items[arguments->count++] = argv[optind++];
    return true;
}

/* The words of a usage in capitals name the positional arguments, in order; options stand in
 * brackets. */
static void report_missing(const struct options *options, int index)
{
    const char *word = options->usage;
    while (*word != '\0') {
        size_t size = strcspn(word, " ");
        if (isupper((unsigned char)*word) && index-- == 0) {
            report("%.*s is missing", (int)size, word);
            return;
        }
        word += size + strspn(word + size, " ");
    }
    report("too few arguments");
}

int options_parse(const struct options *options, struct cli *cli, int argc, char **argv,
                  struct arguments *ret)
{
    struct parser parser;
    parser_init(&parser, options, cli);
    *ret = (struct arguments){.items = argv + 1};
    if (!read_all(&parser, argc, argv, ret))
        return usage_error(options);
    if (parser.help)
        return print_help(&parser);
    if (ret->count < options->least) {
        report_missing(options, ret->count);
        return usage_error(options);
    }
    if (options->most >= 0 && ret->count > options->most) {
        report("one argument too many: %s", ret->items[options->most]);
        return usage_error(options);
    }
    return OPTIONS_GO_ON;
}
