/* How a text is written so that it reads back as the same text, in quotes only where it must. */
#ifndef SETTINGS_TEXT_H
#define SETTINGS_TEXT_H

#include <stdio.h>

/* As a value, in which `$` may be the start of a variable. */
void settings_write_text(const char *text, FILE *out);

/* As the free key of a map; those are never replaced. */
void settings_write_key(const char *text, FILE *out);

#endif
