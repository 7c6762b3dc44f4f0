/* Replaces the variables in the values of a document; a value's text is read once, never twice. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

enum {
    NAME_SIZE = 128,                  /* with a NUL */
    BROUGHT_MAX = SETTINGS_FILE_SIZE, /* bytes that the variables of one file may bring */
};

struct replacing {
    struct settings_errors *errors;
    struct settings_node *node; /* whose text it is */
    size_t brought;
    FILE *out;
};

/* False. */
__attribute__((format(printf, 2, 3))) static bool fail(const struct replacing *replacing,
                                                       const char *format, ...)
{
    char text[4 * NAME_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    settings_node_complain(replacing->errors, replacing->node, "%s", text);
    return false;
}

static void refuse_form(const struct replacing *replacing, const char *variable)
{
    char quoted[60];
    const char *end = strchr(variable, '}');
    size_t length = end != NULL ? (size_t)(end - variable) + 1 : strlen(variable);
    fail(replacing,
         "%s is no variable; write ${NAME} or ${NAME:-default}, or $${ for the characters "
         "themselves",
         quote(quoted, sizeof quoted, variable, length));
}

/* Control characters would break lines of logs and turn one argument into several. */
static bool has_controls(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0))
            return true;
    }
    return false;
}

static bool put_value(struct replacing *replacing, const char *name, const char *value)
{
    size_t length = strlen(value);
    if (!utf8_is_valid(value, length))
        return fail(replacing, "the value of the variable %s is not UTF-8", name);
    if (has_controls(value))
        return fail(replacing, "the value of the variable %s has a control character", name);
    replacing->brought += length;
    if (replacing->brought > BROUGHT_MAX)
        return fail(replacing,
                    "with %s the variables of this file bring too much text; 1 MiB is "
                    "allowed",
                    name);
    fputs(value, replacing->out);
    return true;
}

/* Copies up to the brace, if `use` says so; returns what is after it, or NULL. */
static const char *put_default(const struct replacing *replacing, const char *at, bool use)
{
    for (; *at != '\0' && *at != '}'; at++) {
        if (at[0] == '$' && at[1] == '{') {
            fail(replacing, "the default of a variable cannot hold another variable");
            return NULL;
        }
        at += at[0] == '$' && at[1] == '$';
        if (use)
            fputc(*at, replacing->out);
    }
    return *at == '}' ? at + 1 : NULL;
}

/* The end of the name that begins here; NULL if none does, or what follows is not right. */
static const char *find_name_end(const char *name)
{
    const char *end = name + strspn(name, LETTERS "0123456789");
    bool ends = *end == '}' || (strncmp(end, ":-", 2) == 0 && strchr(end, '}') != NULL);
    bool begins = end > name && (name[0] < '0' || name[0] > '9');
    return begins && ends && end - name < NAME_SIZE ? end : NULL;
}

/* `variable` begins with `${`; returns what is after it, NULL if there was an error. */
static const char *put_variable(struct replacing *replacing, const char *variable)
{
    char name[NAME_SIZE];
    const char *end = find_name_end(variable + 2);
    if (end == NULL) {
        refuse_form(replacing, variable);
        return NULL;
    }
    snprintf(name, sizeof name, "%.*s", (int)(end - variable - 2), variable + 2);
    bool has_default = *end == ':';
    const char *value = getenv(name);
    bool use_value = value != NULL && (!has_default || value[0] != '\0');
    if (!use_value && !has_default) {
        fail(replacing, "the variable %s is not set; set it, or write ${%s:-default}", name, name);
        return NULL;
    }
    if (use_value && !put_value(replacing, name, value))
        return NULL;
    return has_default ? put_default(replacing, end + 2, !use_value) : end + 1;
}

/* False if there was an error. */
static bool put_text(struct replacing *replacing, const char *at)
{
    while (at != NULL && *at != '\0') {
        if (at[0] == '$' && at[1] == '{') {
            at = put_variable(replacing, at);
            continue;
        }
        at += at[0] == '$' && at[1] == '$';
        fputc(*at++, replacing->out);
    }
    return at != NULL;
}

static void replace_text(struct replacing *replacing, struct settings_node *node)
{
    char *text = NULL;
    size_t size = 0;
    replacing->node = node;
    replacing->out = open_memstream(&text, &size);
    if (replacing->out == NULL) {
        settings_node_complain(replacing->errors, node, "out of memory");
        return;
    }
    node->broken = !put_text(replacing, node->text);
    if (fclose(replacing->out) != 0) {
        settings_node_complain(replacing->errors, node, "out of memory");
        node->broken = true;
    }
    if (!node->broken && text != NULL) {
        free(node->text);
        node->text = STEAL(text);
    }
    free(text);
}

/* Recursive, but no deeper than SETTINGS_DEPTH. */
static void replace_node(struct replacing *replacing, struct settings_node *node)
{
    if (!node->broken && node->text != NULL && strchr(node->text, '$') != NULL)
        replace_text(replacing, node);
    for (struct settings_node *child = node->first; child != NULL; child = child->next)
        replace_node(replacing, child);
}

bool settings_document_replace_variables(struct settings_document *document,
                                         struct settings_errors *errors)
{
    size_t before = errors->count;
    struct replacing replacing = {.errors = errors};
    replace_node(&replacing, document->root);
    return errors->count == before;
}
