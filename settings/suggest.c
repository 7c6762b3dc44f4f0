/* Finds the key nearest to one that no table knows. */
#include "settings/suggest.h"

#include <string.h>

enum {
    WORD_SIZE = 32,   /* longer keys get no suggestion */
    DISTANCE_MAX = 2, /* letters to change */
};

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Letters to insert, drop or change (Levenshtein), row by row. */
static size_t distance(const char *from, const char *to)
{
    size_t width = strlen(to);
    size_t row[WORD_SIZE + 1];
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t i = 0; from[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= width; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (from[i] != to[j - 1]));
            diagonal = above;
        }
    }
    return row[width];
}

static const char *nearest(const struct settings_table *table, const char *key)
{
    const char *best = NULL;
    size_t best_distance = DISTANCE_MAX + 1;
    if (strlen(key) > WORD_SIZE)
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        const char *known = table->keys[i].key;
        if (strlen(known) > WORD_SIZE)
            continue;
        size_t letters = distance(key, known);
        if (letters < best_distance && letters < strlen(known) / 2 + 1) {
            best = known;
            best_distance = letters;
        }
    }
    return best;
}

const char *settings_suggest(const struct settings_table *table, const char *key, char *out,
                             size_t size)
{
    const char *known = nearest(table, key);
    if (known != NULL) {
        snprintf(out, size, "did you mean \"%s\"?", known);
        return out;
    }
    size_t used = (size_t)snprintf(out, size, "known are");
    for (size_t i = 0; i < table->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s %s", i == 0 ? "" : ",",
                                 table->keys[i].key);
    return out;
}
