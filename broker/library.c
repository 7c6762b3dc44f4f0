/* The broker as a library: <busbar/broker.h> by the broker's core, with settings of its own. */
#include <busbar/broker.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "broker/broker.h"
#include "broker/settings.h"
#include "protocol/endpoint.h"

enum {
    ENDPOINT_TEXT = 300, /* of an endpoint in an error or an event */
};

struct busbar_broker {
    struct broker_settings settings; /* the core borrows them */
    struct broker *core;
    void (*log)(void *context, const char *level, const char *event, const char *fields);
    void *context;
};

static const char *level_word(enum broker_log_level level)
{
    static const char *const words[] = {
        [BROKER_LOG_ERROR] = "error",
        [BROKER_LOG_WARNING] = "warning",
        [BROKER_LOG_INFO] = "info",
        [BROKER_LOG_DEBUG] = "debug",
    };
    return words[level];
}

static void on_event(void *context, enum broker_log_level level, const char *event,
                     const char *fields)
{
    const struct busbar_broker *broker = context;
    if (broker->log != NULL)
        broker->log(broker->context, level_word(level), event, fields);
}

static void tell_endpoint(struct busbar_broker *broker, enum broker_log_level level,
                          const char *event)
{
    char fields[ENDPOINT_TEXT];
    snprintf(fields, sizeof fields, "endpoint=%s", busbar_broker_endpoint(broker));
    on_event(broker, level, event, fields);
}

/* What an endpoint should be; NULL if it can be bound. */
static const char *endpoint_fault(const struct busbar_broker_options *options)
{
    const char *endpoint = options->endpoint;
    const char *expected = endpoint == NULL ? "tcp://HOST:PORT or ipc://PATH"
                                            : endpoint_expected(endpoint);
    if (expected != NULL)
        return expected;
    if (strncmp(endpoint, "inproc:", strlen("inproc:")) == 0)
        return "tcp://HOST:PORT or ipc://PATH";
    if (endpoint_is_open(endpoint) && !options->allow_plaintext)
        return "a loopback address such as tcp://127.0.0.1:7766 unless allow_plaintext is set, "
               "since other machines could connect, and without encryption";
    return NULL;
}

static bool reserved_is_zero(const struct busbar_broker_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return false;
    }
    return true;
}

/* Whether the options can be used: else the error is written. */
static bool options_are_sane(const struct busbar_broker_options *options, char *error, size_t size)
{
    char quoted[ENDPOINT_TEXT];
    const char *endpoint = options->endpoint == NULL ? "" : options->endpoint;
    const char *expected = endpoint_fault(options);
    if (expected != NULL)
        snprintf(error, size, "the endpoint must be %s, not %s", expected,
                 quote(quoted, sizeof quoted, endpoint, strlen(endpoint)));
    else if (!reserved_is_zero(options))
        snprintf(error, size, "a reserved member of the options is not 0");
    else
        return true;
    return false;
}

static enum busbar_status broker_fill(struct busbar_broker *broker,
                                      const struct busbar_broker_options *options, char *error,
                                      size_t size)
{
    const struct broker_hooks hooks = {.context = broker, .log = on_event};
    broker->log = options->log;
    broker->context = options->context;
    snprintf(error, size, "out of memory");
    enum busbar_status status = broker_settings_init(&broker->settings);
    if (status == BUSBAR_OK)
        status = broker_settings_set_binds(&broker->settings, &options->endpoint, 1);
    if (status == BUSBAR_OK)
        status = broker_new(&broker->core, &broker->settings, &hooks, error, size);
    return status;
}

enum busbar_status busbar_broker_new(struct busbar_broker **ret,
                                     const struct busbar_broker_options *options, char *error,
                                     size_t error_size)
{
    char unread[1];
    error = error == NULL || error_size == 0 ? unread : error;
    error_size = error == unread ? sizeof unread : error_size;
    snprintf(error, error_size, "there are no options");
    if (ret == NULL || options == NULL || !options_are_sane(options, error, error_size))
        return BUSBAR_BAD_ARGUMENT;
    CLEANUP(busbar_broker_destroy) struct busbar_broker *broker = calloc(1, sizeof *broker);
    snprintf(error, error_size, "out of memory");
    if (broker == NULL)
        return BUSBAR_NO_MEMORY;
    enum busbar_status status = broker_fill(broker, options, error, error_size);
    if (status != BUSBAR_OK)
        return status;
    error[0] = '\0';
    if (endpoint_is_open(busbar_broker_endpoint(broker)))
        tell_endpoint(broker, BROKER_LOG_WARNING, "plaintext_endpoint");
    tell_endpoint(broker, BROKER_LOG_INFO, "broker_ready");
    *ret = STEAL(broker);
    return BUSBAR_OK;
}

const char *busbar_broker_endpoint(const struct busbar_broker *broker)
{
    return broker_endpoint(broker->core, 0);
}

enum busbar_status busbar_broker_run(struct busbar_broker *broker)
{
    enum busbar_status status = broker_run(broker->core);
    tell_endpoint(broker, BROKER_LOG_INFO, "broker_stopped");
    return status;
}

void busbar_broker_stop(struct busbar_broker *broker)
{
    broker_stop(broker->core);
}

void busbar_broker_destroy(struct busbar_broker **broker)
{
    struct busbar_broker *gone = STEAL(*broker);
    if (gone == NULL)
        return;
    broker_destroy(&gone->core);
    broker_settings_fini(&gone->settings);
    free(gone);
}
