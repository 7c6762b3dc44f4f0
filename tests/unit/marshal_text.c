#include "marshal_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/json.h"

struct busbar_value *value_of(const char *json)
{
    struct busbar_value *value = NULL;
    char reason[200] = "";
    if (json_to_value(&value, json, reason, sizeof reason) != BUSBAR_OK)
        fail_msg("%s: %s", json, reason);
    return value;
}

struct signature parsed(const char *text)
{
    struct signature signature;
    char reason[SIGNATURE_REASON_SIZE] = "";
    if (!signature_parse(&signature, text, reason))
        fail_msg("%s", reason);
    return signature;
}

void assert_equal(const struct busbar_value *value, const struct busbar_value *wanted,
                  const char *input)
{
    if (busbar_value_equal(value, wanted))
        return;
    CLEANUP(cleanup_free) char *text = json_from_value(value, 0);
    CLEANUP(cleanup_free) char *wanted_text = json_from_value(wanted, 0);
    fail_msg("%s: %s instead of %s", input, text, wanted_text);
}

static bool is_kept(const struct signature_item *item)
{
    return item->type >= SIGNATURE_STRING && item->type <= SIGNATURE_STRINGS && !item->owned;
}

void free_kept(const struct marshal_item *items, const struct signature *signature)
{
    for (size_t i = 0; i < signature->result_count; i++) {
        if (is_kept(&signature->results[i]))
            free(items[i].cell.pointer);
    }
}

struct busbar_value *highest_value(void)
{
    struct busbar_value *value = busbar_value_list();
    for (int i = 1; i < BUSBAR_VALUE_DEPTH_MAX; i++) {
        struct busbar_value *outer = busbar_value_list();
        assert_int_equal(busbar_value_append(outer, &value), BUSBAR_OK);
        value = outer;
    }
    return value;
}
