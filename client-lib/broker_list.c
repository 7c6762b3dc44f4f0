/* From a line of text to the endpoints in it. */
#include "client-lib/broker_list.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/endpoint.h"

/* What is left of it without the spaces at both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    text[size] = '\0';
    return text;
}

static bool list_fill(struct broker_list *list)
{
    char *rest = list->text;
    while (rest != NULL) {
        char *endpoint = trim(strsep(&rest, ","));
        if (list->count == BROKER_LIST_MAX || !endpoint_is_valid(endpoint))
            return false;
        list->endpoints[list->count++] = endpoint;
    }
    return true;
}

enum busbar_status broker_list_init(struct broker_list *list, const char *text)
{
    *list = (struct broker_list){0};
    list->text = strdup(text);
    if (list->text == NULL)
        return BUSBAR_NO_MEMORY;
    if (list_fill(list))
        return BUSBAR_OK;
    broker_list_fini(list);
    return BUSBAR_BAD_ARGUMENT;
}

void broker_list_fini(struct broker_list *list)
{
    free(list->text);
    *list = (struct broker_list){0};
}
