/* Writes the log of an application and holds the levels of its components. */
#include "app/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quote.h"

enum {
    LINE_SIZE = 2048, /* of a whole line; more is cut off */
    WORD_SIZE = 16,   /* longer than any component or level */
    TIME_SIZE = 40,
};

static const char *const components[] = {
    [APP_CONFIG] = "config", [APP_OBJECTS] = "objects", [APP_EXPORTS] = "exports",
    [APP_BROKER] = "broker", [APP_POOLS] = "pools",
};

static const char *const levels[] = {
    [APP_OFF] = "off",   [APP_ERROR] = "error", [APP_WARNING] = "warning",
    [APP_INFO] = "info", [APP_DEBUG] = "debug",
};

const char *app_component_name(enum app_component component)
{
    return components[component];
}

const char *app_level_name(enum app_level level)
{
    return levels[level];
}

static int find_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return (int)i;
    }
    return -1;
}

enum app_level app_level_of(const char *word)
{
    int level = find_word(levels, ARRAY_SIZE(levels), word);
    return level < 0 ? APP_WARNING : (enum app_level)level;
}

static bool set_level(struct app_log *log, const char *component, const char *level)
{
    int value = find_word(levels, ARRAY_SIZE(levels), level);
    int index = component != NULL ? find_word(components, ARRAY_SIZE(components), component) : 0;
    if (value < 0 || index < 0)
        return false;
    int last = component != NULL ? index : APP_COMPONENTS - 1;
    for (int i = index; i <= last; i++)
        atomic_store(&log->levels[i], value);
    return true;
}

/* One item of $BUSBAR_LOG, `LEVEL` or `COMPONENT=LEVEL`; `length` bytes of `text`. */
static bool set_item(struct app_log *log, const char *text, size_t length)
{
    char item[2 * WORD_SIZE];
    if (length >= sizeof item)
        return false;
    memcpy(item, text, length);
    item[length] = '\0';
    char *level = strchr(item, '=');
    if (level == NULL)
        return set_level(log, NULL, item);
    *level++ = '\0';
    return set_level(log, item, level);
}

/* "" if it says nothing. */
static const char *environment(void)
{
    const char *text = getenv("BUSBAR_LOG");
    return text != NULL ? text : "";
}

/* Puts the levels of the environment over the others; false if a part of it says nothing. */
static bool set_environment(struct app_log *log)
{
    bool good = true;
    const char *at = environment();
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        good = set_item(log, at, length) && good;
        at += length + (at[length] == ',');
    }
    return good;
}

void app_log_init(struct app_log *log)
{
    (void)!set_level(log, NULL, levels[APP_WARNING]);
    if (set_environment(log))
        return;
    char quoted[160];
    const char *text = environment();
    app_log(log, APP_WARNING, APP_CONFIG,
            "BUSBAR_LOG should be as in \"debug\" or \"info,objects=debug\", not %s",
            quote(quoted, sizeof quoted, text, strlen(text)));
}

bool app_log_set(struct app_log *log, const char *component, const char *level)
{
    if (!set_level(log, component, level))
        return false;
    (void)!set_environment(log);
    return true;
}

static size_t time_text(char *out)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    return used +
           (size_t)snprintf(out + used, TIME_SIZE - used, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

/* An event is one line in one write, so that lines of threads and processes do not mix. */
void app_log(struct app_log *log, enum app_level level, enum app_component component,
             const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&log->levels[component], memory_order_relaxed))
        return;
    int error = errno;
    char line[LINE_SIZE];
    size_t used = time_text(line);
    used += (size_t)snprintf(line + used, sizeof line - used, " %s %s ", levels[level],
                             components[component]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    va_end(arguments);
    make_printable(line + used);
    size_t length = used + strlen(line + used);
    line[length++] = '\n';
    (void)!write(STDERR_FILENO, line, length);
    errno = error;
}
