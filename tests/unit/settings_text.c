/* Compares the errors of a configuration with a text. */
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "f:1:2: x" and "f: x" without "f:" and its space. */
static const char *without_file(const char *line)
{
    if (strncmp(line, "f:", 2) != 0)
        return line;
    return line + 2 + (line[2] == ' ');
}

void assert_errors(const struct settings_errors *errors, const char *input, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (size_t i = 0; settings_errors_line(errors, i) != NULL; i++)
        fprintf(out, "%s%s", i == 0 ? "" : "\n", without_file(settings_errors_line(errors, i)));
    fclose(out);
    if (strcmp(text, expected) != 0)
        print_error("input: %.200s\n", input);
    assert_string_equal(text, expected);
    free(text);
}
