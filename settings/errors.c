/* Collects the errors of a configuration; where they come from is not known here. */
#include "settings/errors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

void settings_errors_init(struct settings_errors *errors)
{
    *errors = (struct settings_errors){0};
}

void settings_errors_fini(struct settings_errors *errors)
{
    for (size_t i = 0; i < SETTINGS_ERRORS_KEPT; i++)
        free(errors->lines[i]);
    *errors = (struct settings_errors){0};
}

static char *line_new(struct settings_place place, const char *text)
{
    char *line = NULL;
    int length;
    if (place.file == NULL)
        length = asprintf(&line, "%s", text);
    else if (place.line == 0)
        length = asprintf(&line, "%s: %s", place.file, text);
    else
        length = asprintf(&line, "%s:%" PRIu32 ":%" PRIu32 ": %s", place.file, place.line,
                          place.column, text);
    return length < 0 ? NULL : line;
}

void settings_errors_add(struct settings_errors *errors, struct settings_place place,
                         const char *format, ...)
{
    size_t index = errors->count++;
    if (index >= SETTINGS_ERRORS_KEPT)
        return;
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    errors->lines[index] = line_new(place, text);
    errors->places[index] = place;
    errors->places[index].file = place.file != NULL ? "" : NULL;
    free(text);
}

/* What has no place in a file comes last. */
static bool comes_before(struct settings_place a, struct settings_place b)
{
    if (a.file == NULL || b.file == NULL)
        return a.file != NULL && b.file == NULL;
    if (a.order != b.order)
        return a.order < b.order;
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static void swap(struct settings_errors *errors, size_t a, size_t b)
{
    char *line = errors->lines[a];
    struct settings_place place = errors->places[a];
    errors->lines[a] = errors->lines[b];
    errors->places[a] = errors->places[b];
    errors->lines[b] = line;
    errors->places[b] = place;
}

void settings_errors_sort(struct settings_errors *errors, size_t from)
{
    size_t kept = errors->count < SETTINGS_ERRORS_KEPT ? errors->count : SETTINGS_ERRORS_KEPT;
    for (size_t i = from; i < kept; i++) {
        for (size_t j = i; j > from && comes_before(errors->places[j], errors->places[j - 1]); j--)
            swap(errors, j, j - 1);
    }
}

const char *settings_errors_line(const struct settings_errors *errors, size_t index)
{
    if (index >= errors->count || index >= SETTINGS_ERRORS_KEPT)
        return NULL;
    return errors->lines[index] != NULL ? errors->lines[index] : "out of memory";
}

void settings_errors_print(const struct settings_errors *errors, const char *prefix, FILE *out)
{
    const char *line;
    for (size_t i = 0; (line = settings_errors_line(errors, i)) != NULL; i++)
        fprintf(out, "%s%s\n", errors->places[i].file != NULL ? "" : prefix, line);
    if (errors->count > SETTINGS_ERRORS_KEPT)
        fprintf(out, "%sand %zu more errors\n", prefix, errors->count - SETTINGS_ERRORS_KEPT);
}
