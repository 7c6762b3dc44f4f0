/* The choice among rules: few, and asked once per service. */
#include "broker/rules.h"

#include <string.h>

/* How well a rule fits: 0 for not at all, more for a longer name, most for the whole. */
static size_t rule_fit(const struct service_rule *rule, struct bytes name)
{
    size_t size = strlen(rule->name);
    bool is_prefix = size > 0 && rule->name[size - 1] == '*';
    if (is_prefix)
        size--;
    if (is_prefix ? size > name.size : size != name.size)
        return 0;
    if (memcmp(rule->name, name.data, size) != 0)
        return 0;
    return is_prefix ? size + 1 : SIZE_MAX;
}

const struct service_rule *rules_find(const struct service_rule *rules, size_t count,
                                      struct bytes name)
{
    const struct service_rule *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < count; i++) {
        size_t fit = rule_fit(&rules[i], name);
        if (fit > best_fit) {
            best_fit = fit;
            best = &rules[i];
        }
    }
    return best;
}
