/* What the file of an application says besides its objects: brokers, exports, log levels. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "app/exports.h"
#include "app/log.h"
#include "settings/table.h"

enum {
    APP_BROKERS_MAX = 64,
    APP_INSTANCES_MAX = 1000,
    APP_THREADS_MAX = 1024,
    APP_CREDIT_MAX = 65536,
    APP_ID_MAX = 127,
};

/* An endpoint to connect to, or one to embed a broker at. */
struct broker_settings {
    char *endpoint;
    char *embed;
    bool allow_plaintext; /* must be true to embed one that other machines can reach */
};

/* NULL: not said. */
struct log_settings {
    char *level; /* of all components but those below */
    char *components[APP_COMPONENTS];
};

struct app_settings {
    struct broker_settings *brokers; /* one alone if it has `embed` */
    size_t broker_count;
    struct export_settings *exports;
    size_t export_count;
    struct log_settings log;
};

/*
 * Reads all but `objects` and `overlay` from the root of a file, over the defaults, and checks the
 * rules between the keys. False if there were errors; what was read can be used and freed even so.
 */
bool app_settings_read(struct app_settings *ret, const struct settings_node *root,
                       struct settings_errors *errors);
void app_settings_fini(struct app_settings *settings);

/* One rule of those, in settings_duplicates.c. */
void app_settings_check_duplicates(const struct app_settings *settings,
                                   const struct settings_node *root,
                                   struct settings_errors *errors);

/* The parts of a file in front of `objects`, and behind. */
void app_settings_dump_head(const struct app_settings *settings, FILE *out);
void app_settings_dump_tail(const struct app_settings *settings, FILE *out);

/* One endpoint, `embed` or not, instead of all; false when out of memory. */
bool app_settings_set_broker(struct app_settings *settings, const char *endpoint, bool embed);
/* Takes further ones to connect to; NULL-terminated. */
bool app_settings_set_brokers(struct app_settings *settings, const char *const *endpoints);
/* Those of $BUSBAR_BROKER, else the default. One that is no list of endpoints is taken as it is, for
 * broker_expected to find. False when out of memory. */
bool app_settings_set_default_brokers(struct app_settings *settings);
/* The broker to embed; NULL for none. */
const struct broker_settings *app_settings_embed(const struct app_settings *settings);

/* A copy of what does not change meanwhile; false when out of memory, and nothing is to be freed. */
bool export_settings_copy(struct export_settings *ret, const struct export_settings *settings);
bool export_settings_equal(const struct export_settings *a, const struct export_settings *b);
void export_settings_fini(struct export_settings *settings);

/* The item of `exports` that stands at an index; NULL if there is no file. */
const struct settings_node *export_node(const struct settings_node *root, size_t index);

/* NULL if a text will do, else what it should be. */
const char *broker_expected(const char *text);
const char *service_expected(const char *text);
const char *object_id_expected(const char *text);
const char *tag_expected(const char *text);

#endif
