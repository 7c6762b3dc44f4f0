/* The log of an application: one line per event to stderr, with a level for each component. */
#ifndef APP_LOG_H
#define APP_LOG_H

#include <busbar/status.h>
#include <stdatomic.h>
#include <stdbool.h>

enum app_component { APP_CONFIG, APP_OBJECTS, APP_EXPORTS, APP_BROKER, APP_POOLS, APP_COMPONENTS };

enum app_level { APP_OFF, APP_ERROR, APP_WARNING, APP_INFO, APP_DEBUG };

struct app_log {
    atomic_int levels[APP_COMPONENTS];
};

/* Warning for all, then what $BUSBAR_LOG says. */
void app_log_init(struct app_log *log);

/* False for a word that is no level or component; a NULL component means all. $BUSBAR_LOG wins. */
bool app_log_set(struct app_log *log, const char *component, const char *level);

const char *app_component_name(enum app_component component);
const char *app_level_name(enum app_level level);
enum app_level app_level_of(const char *word);

/* `TIME LEVEL COMPONENT MESSAGE`, in one write, control characters as '?'. */
__attribute__((format(printf, 4, 5))) void app_log(struct app_log *log, enum app_level level,
                                                   enum app_component component, const char *format,
                                                   ...);

#endif
