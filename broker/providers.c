/* Who offers a method: one lies in the method itself, several in an array. */
#include "broker/registry.h"

#include <stdlib.h>
#include <string.h>

struct provider *method_provider(struct method *method, const struct export *export)
{
    struct provider *providers = method_providers(method);
    for (size_t i = 0; i < method->provider_count; i++) {
        if (providers[i].export == export)
            return &providers[i];
    }
    return NULL;
}

/* An entry for one more, to be filled; the second moves the first into an array. */
static struct provider *method_next_provider(struct method *method)
{
    size_t count = method->provider_count;
    if (count == 0) {
        method->provider_count = 1;
        return &method->only;
    }
    struct provider *several = realloc(count == 1 ? NULL : method->several,
                                       (count + 1) * sizeof *several);
    if (several == NULL)
        return NULL;
    if (count == 1) {
        several[0] = method->only;
        method->next = 0;
    }
    method->several = several;
    method->provider_count++;
    return &several[count];
}

bool method_add_provider(struct method *method, struct export *export,
                         const struct registration_method *told)
{
    struct provider *provider = method_next_provider(method);
    if (provider == NULL)
        return false;
    *provider = (struct provider){
        .worker = export->worker,
        .export = export,
        .stall = told->stall,
        .weight = (uint16_t)registration_weight(&export->registration),
        .idempotent = told->idempotent,
        .caller = export->registration.caller,
    };
    return true;
}

void method_remove_provider(struct method *method, const struct export *export)
{
    struct provider *gone = method_provider(method, export);
    if (gone == NULL)
        return;
    struct provider *providers = method_providers(method);
    size_t behind = (size_t)(providers + method->provider_count - (gone + 1));
    method->draining_count -= gone->draining;
    memmove(gone, gone + 1, behind * sizeof *gone);
    method->provider_count--;
    if (method->provider_count == 1) { /* again the only one */
        method->only = providers[0];
        free(providers);
    }
}
