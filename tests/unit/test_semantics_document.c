/* Holds docs/semantics.md to the code: every status that travels has a row, every fate is told. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <busbar/status.h>
#include <cmocka.h>

#include "protocol/packet.h"

static const char DOCUMENT[] = "docs/semantics.md";

static bool is_in_cell(const char *line, const char *word)
{
    size_t size = strlen(word);
    const char *end = strchr(line + 1, '|');
    const char *at = line[0] == '|' ? strstr(line, word) : NULL;
    return at != NULL && end != NULL && at < end && strchr(" ,`", at[size]) != NULL &&
           strchr(" `", at[-1]) != NULL;
}

/* The first cell of a row of a table names it. */
static void assert_row(const char *word)
{
    char line[1024];
    bool found = false;
    FILE *file = vectors_open(DOCUMENT);
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = is_in_cell(line, word);
    fclose(file);
    if (!found)
        fail_msg("%s has no row for %s", DOCUMENT, word);
}

static void every_status_that_travels_has_a_row(void **state)
{
    (void)state;
#define STATUS_ROW(code, name, text)                                                               \
    if ((code) < BUSBAR_FORKED)                                                                    \
        assert_row(#name);
    BUSBAR_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
}

static void every_fate_has_a_row(void **state)
{
    (void)state;
    for (int fate = BUSBAR_NOT_EXECUTED; fate <= BUSBAR_EXECUTED; fate++)
        assert_row(busbar_fate_name((enum busbar_fate)fate));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_that_travels_has_a_row),
        cmocka_unit_test(every_fate_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
