/* The program busbard: options, signals and log around the broker's core. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "broker/broker.h"
#include "broker/log.h"
#include "broker/notify.h"
#include "broker/settings.h"
#include "protocol/endpoint.h"
#include "settings/errors.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,       /* options or configuration are wrong; nothing was started */
    EXIT_BY_SIGNAL = 128, /* plus the signal's number */
    ENDPOINT_SIZE = 256,
    ERROR_SIZE = 512,
};

enum action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_DUMP,
    ACTION_VERSION,
    ACTION_HELP,
};

struct arguments {
    struct broker_settings_input input;
    const char **binds; /* as many as there could be; what input.binds points to */
    enum action action;
};

static const char usage[] =
    "usage: busbard [OPTION...]\n"
    "\n"
    "The broker of the service bus. Without options it listens on " BROKER_DEFAULT_ENDPOINT ".\n"
    "\n"
    "  --bind ENDPOINT    listen here, not where the configuration says; can be repeated;\n"
    "                     tcp://HOST:PORT (port * takes a free one) or ipc://PATH\n"
    "  --config FILE      read this YAML file (-: standard input)\n"
    "  --check            check options and configuration, then end\n"
    "  --dump             print the configuration that is in effect, then end\n"
    "  --log-level LEVEL  error, warning, info or debug\n"
    "  --version          print the version, then end\n"
    "  --help             print this, then end\n"
    "\n"
    "Exit status: 0 after SIGTERM or SIGINT, 1 if it cannot bind or run, 2 if options or\n"
    "configuration are wrong.\n";

/* Options -------------------------------------------------------------------------------------- */

static const struct option options[] = {
    {"bind", required_argument, NULL, 'b'},
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 'k'},
    {"dump", no_argument, NULL, 'd'},
    {"log-level", required_argument, NULL, 'l'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void complain(const char *what, const char *argument)
{
    fprintf(stderr, "busbard: %s %s; see busbard --help\n", what, argument);
}

static bool set_action(struct arguments *arguments, enum action action)
{
    /* Whoever asks for help gets it, whatever else is asked for. */
    if (action > arguments->action)
        arguments->action = action;
    return true;
}

/* What an option says; false if it is none. */
static bool take_option(struct arguments *arguments, int option)
{
    switch (option) {
    case 'b':
        arguments->binds[arguments->input.bind_count++] = optarg;
        return true;
    case 'c':
        arguments->input.file = optarg;
        return true;
    case 'l':
        arguments->input.log_level = optarg;
        return true;
    case 'k':
        return set_action(arguments, ACTION_CHECK);
    case 'd':
        return set_action(arguments, ACTION_DUMP);
    case 'V':
        return set_action(arguments, ACTION_VERSION);
    case 'h':
        return set_action(arguments, ACTION_HELP);
    default:
        return false;
    }
}

static bool parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    arguments->input.binds = arguments->binds;
    opterr = 0;
    for (;;) {
        int at = optind;
        int option = getopt_long(argc, argv, "+:hV", options, NULL);
        if (option == -1)
            break;
        if (option == ':') {
            complain("a value must follow", argv[at]);
            return false;
        }
        if (!take_option(arguments, option)) {
            complain("unknown option", argv[at]);
            return false;
        }
    }
    if (optind < argc)
        complain("unexpected argument", argv[optind]);
    return optind == argc;
}

/* The process ---------------------------------------------------------------------------------- */

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

/* The thread that waits for signals. */
struct watch {
    struct broker *broker;
    atomic_bool over; /* the next signal only ends the thread */
};

/* The first signal stops the broker in order, a second one ends the program at once. */
static void *wait_for_signals(void *context)
{
    struct watch *watch = context;
    sigset_t set;
    int number = 0;
    stop_signals(&set);
    for (unsigned seen = 0;; seen++) {
        sigwait(&set, &number);
        if (watch->over)
            return NULL;
        if (seen > 0)
            _exit(EXIT_BY_SIGNAL + number);
        (void)notify_send("STOPPING=1");
        broker_stop(watch->broker);
    }
}

/* Before any thread is started, which then takes none of them either. */
static void block_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* As many peers as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void write_event(struct log *log, enum broker_log_level level, const char *event,
                        const char *fields)
{
    struct log_entry entry = {level, event, fields};
    log_write(log, &entry, clock_ms());
}

static void on_broker_event(void *context, enum broker_log_level level, const char *event,
                            const char *fields)
{
    write_event(context, level, event, fields);
}

static void announce(const struct broker *broker, struct log *log)
{
    char fields[ENDPOINT_SIZE + 16];
    for (size_t i = 0; i < broker_endpoint_count(broker); i++) {
        const char *endpoint = broker_endpoint(broker, i);
        snprintf(fields, sizeof fields, "endpoint=%s", endpoint);
        if (endpoint_is_open(endpoint))
            write_event(log, BROKER_LOG_WARNING, "plaintext_endpoint", fields);
        /* Whoever started this program waits for the line, at any log level. */
        log_write_always(log, &(struct log_entry){BROKER_LOG_INFO, "broker_ready", fields});
    }
    if (!notify_send("READY=1"))
        write_event(log, BROKER_LOG_WARNING, "notify_failed", NULL);
}

/* Until a signal stops it. The thread that waits for signals outlives the broker, so that a second
 * one ends the program while the last messages leave, too. */
static bool serve(struct broker **broker, struct log *log)
{
    struct watch watch = {.broker = *broker};
    pthread_t signals;
    if (pthread_create(&signals, NULL, wait_for_signals, &watch) != 0)
        return false;
    announce(*broker, log);
    enum busbar_status status = broker_run(*broker);
    broker_destroy(broker);
    watch.over = true;
    pthread_kill(signals, SIGINT);
    pthread_join(signals, NULL);
    return status == BUSBAR_OK;
}

static int run(const struct broker_settings *settings, struct log *log)
{
    CLEANUP(broker_destroy) struct broker *broker = NULL;
    struct broker_hooks hooks = {.context = log, .log = on_broker_event};
    char error[ERROR_SIZE] = "";
    enum busbar_status status = broker_new(&broker, settings, &hooks, error, sizeof error);
    if (status != BUSBAR_OK) {
        fprintf(stderr, "busbard: cannot bind %s\n",
                error[0] != '\0' ? error : busbar_status_text(status));
        return EXIT_FAILURE;
    }
    if (!serve(&broker, log)) {
        fprintf(stderr, "busbard: cannot start a thread\n");
        return EXIT_FAILURE;
    }
    write_event(log, BROKER_LOG_INFO, "broker_stopped", NULL);
    return EXIT_SUCCESS;
}

static int start(const struct broker_settings *settings)
{
    struct log log;
    log_init(&log, stderr);
    log.level = log_level_of(settings->log_level);
    block_signals();
    raise_descriptor_limit();
    int code = run(settings, &log);
    log_flush(&log);
    return code;
}

/* What was asked for, once the settings are known to be right. */
static int act(enum action action, const struct broker_settings *settings)
{
    if (action == ACTION_RUN)
        return start(settings);
    if (action == ACTION_DUMP)
        broker_settings_dump(settings, stdout);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int with_settings(const struct arguments *arguments)
{
    struct settings_errors errors;
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    settings_errors_init(&errors);
    int code = EXIT_USAGE;
    enum busbar_status status = broker_settings_load(&settings, &arguments->input, &errors);
    if (status == BUSBAR_OK)
        code = act(arguments->action, &settings);
    else if (status != BUSBAR_BAD_CONFIG)
        fprintf(stderr, "busbard: %s\n", busbar_status_text(status));
    settings_errors_print(&errors, "busbard: ", stderr);
    settings_errors_fini(&errors);
    return code;
}

int main(int argc, char **argv)
{
    CLEANUP(cleanup_free) const char **binds = calloc((size_t)argc + 1, sizeof *binds);
    struct arguments arguments = {.binds = binds};
    if (binds == NULL)
        return EXIT_FAILURE;
    if (!parse_arguments(&arguments, argc, argv))
        return EXIT_USAGE;
    if (arguments.action == ACTION_HELP || arguments.action == ACTION_VERSION) {
        fputs(arguments.action == ACTION_HELP ? usage : "busbard " BUSBAR_VERSION "\n", stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return with_settings(&arguments);
}
