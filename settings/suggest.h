/* What a key that no table knows may have been meant as. */
#ifndef SETTINGS_SUGGEST_H
#define SETTINGS_SUGGEST_H

#include "settings/table.h"

/* `did you mean "attempts"?` or `known are version, bind`, into `size` bytes; returns `out`. */
const char *settings_suggest(const struct settings_table *table, const char *key, char *out,
                             size_t size);

#endif
