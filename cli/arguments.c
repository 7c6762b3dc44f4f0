/* The table of signature letters and how a word becomes a value of each. */
#include "cli/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

/* NULL if the word is no value of the type, or memory ran out. */
typedef struct busbar_value *word_fn(const char *word);

static bool read_integer(const char *word, long long least, long long most, long long *ret)
{
    char *end;
    errno = 0;
    long long number = strtoll(word, &end, 10);
    if (end == word || *end != '\0' || isspace((unsigned char)*word) || errno != 0 ||
        number < least || number > most)
        return false;
    *ret = number;
    return true;
}

static struct busbar_value *word_as_bool(const char *word)
{
    if (strcmp(word, "true") == 0)
        return busbar_value_bool(true);
    return strcmp(word, "false") == 0 ? busbar_value_bool(false) : NULL;
}

static struct busbar_value *word_as_int32(const char *word)
{
    long long number;
    return read_integer(word, INT32_MIN, INT32_MAX, &number) ? busbar_value_int64(number) : NULL;
}

static struct busbar_value *word_as_uint32(const char *word)
{
    long long number;
    return read_integer(word, 0, UINT32_MAX, &number) ? busbar_value_int64(number) : NULL;
}

static struct busbar_value *word_as_int64(const char *word)
{
    long long number;
    return read_integer(word, INT64_MIN, INT64_MAX, &number) ? busbar_value_int64(number) : NULL;
}

/* An integer becomes a double only if it is exactly that double. */
static bool read_double(const char *word, double *ret)
{
    const char *digits = word + (*word == '-' || *word == '+');
    if (digits[strspn(digits, "0123456789")] == '\0') {
        long long integer;
        if (!read_integer(word, INT64_MIN, INT64_MAX, &integer))
            return false;
        *ret = (double)integer;
        return *ret < 0x1p63 && (long long)*ret == integer;
    }
    char *end;
    *ret = strtod(word, &end);
    return end != word && *end == '\0' && !isspace((unsigned char)*word);
}

static struct busbar_value *word_as_double(const char *word)
{
    double number;
    return read_double(word, &number) ? busbar_value_double(number) : NULL;
}

static struct busbar_value *word_as_float(const char *word)
{
    double number;
    if (!read_double(word, &number) || (isfinite(number) && fabs(number) > FLT_MAX))
        return NULL;
    return busbar_value_double(number);
}

static struct busbar_value *word_as_string(const char *word)
{
    return busbar_value_text(word);
}

static struct busbar_value *word_as_bytes(const char *word)
{
    return busbar_value_bytes(word, strlen(word));
}

static struct busbar_value *word_as_json(const char *word)
{
    char reason[ARGUMENTS_REASON_SIZE];
    struct busbar_value *value = NULL;
    return json_to_value(&value, word, reason, sizeof reason) == BUSBAR_OK ? value : NULL;
}

static struct busbar_value *word_as_strings(const char *word)
{
    struct busbar_value *list = word_as_json(word);
    bool good = busbar_value_type(list) == BUSBAR_LIST;
    for (size_t i = 0; good && i < busbar_value_count(list); i++)
        good = busbar_value_type(busbar_value_at(list, i)) == BUSBAR_STRING;
    if (!good)
        busbar_value_destroy(&list);
    return list;
}

static struct busbar_value *word_as_any(const char *word)
{
    struct busbar_value *value = word_as_json(word);
    return value != NULL ? value : busbar_value_text(word);
}

struct letter {
    const char *letters;
    const char *name;
    word_fn *convert;
};

/* Longer ones stand before their beginnings. */
static const struct letter letters[] = {
    {"as", "list of strings in JSON", word_as_strings},
    {"AS", "list of strings in JSON", word_as_strings},
    {"y4", "bytes", word_as_bytes},
    {"Y4", "bytes", word_as_bytes},
    {"b", "bool", word_as_bool},
    {"i", "int32", word_as_int32},
    {"u", "uint32", word_as_uint32},
    {"l", "int64", word_as_int64},
    {"d", "double", word_as_double},
    {"f", "float", word_as_float},
    {"s", "string", word_as_string},
    {"S", "string", word_as_string},
    {"y", "bytes", word_as_bytes},
    {"Y", "bytes", word_as_bytes},
    {"v", "value", word_as_any},
};

static const struct letter *letter_at(const char *signature)
{
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        if (strncmp(signature, letters[i].letters, strlen(letters[i].letters)) == 0)
            return &letters[i];
    }
    return NULL;
}

/* What follows the letter of an argument; a '?' after it only says that null may stand there. */
static const char *after(const char *signature, const struct letter *letter)
{
    signature += strlen(letter->letters);
    return signature + (*signature == '?');
}

/* How many arguments a signature has before its '>'; -1 if it cannot be read. */
static int signature_count(const char *signature)
{
    int count = 0;
    while (*signature != '>') {
        const struct letter *letter = letter_at(signature);
        if (letter == NULL)
            return -1;
        signature = after(signature, letter);
        count++;
    }
    return count;
}

/* Says what is wrong with the argument at `index`, counted from 0. */
static enum busbar_status refuse(const struct arguments *arguments, int index, const char *wanted,
                                 char reason[ARGUMENTS_REASON_SIZE])
{
    snprintf(reason, ARGUMENTS_REASON_SIZE, "argument %d (\"%.200s\") is not %s %s", index + 1,
             arguments->items[index], wanted[0] == 'i' ? "an" : "a", wanted);
    return BUSBAR_BAD_REQUEST;
}

static enum busbar_status convert_each(struct busbar_value *list, const struct arguments *arguments,
                                       const char *signature, char reason[ARGUMENTS_REASON_SIZE])
{
    for (int i = 0; i < arguments->count; i++) {
        const struct letter *letter = letter_at(signature);
        struct busbar_value *value = letter->convert(arguments->items[i]);
        if (value == NULL)
            return refuse(arguments, i, letter->name, reason);
        enum busbar_status status = busbar_value_append(list, &value);
        if (status != BUSBAR_OK)
            return status;
        signature = after(signature, letter);
    }
    return BUSBAR_OK;
}

static enum busbar_status refuse_count(const struct arguments *arguments, int count,
                                       const char *signature, char reason[ARGUMENTS_REASON_SIZE])
{
    snprintf(reason, ARGUMENTS_REASON_SIZE, "the method takes %d argument%s (%.200s), not %d",
             count, count == 1 ? "" : "s", signature, arguments->count);
    return BUSBAR_BAD_REQUEST;
}

bool arguments_are_raw(const char *signature)
{
    const struct letter *letter = signature != NULL ? letter_at(signature) : NULL;
    return letter != NULL && letter->convert == word_as_bytes && *after(signature, letter) == '>';
}

enum busbar_status arguments_raw(const char **ret, const struct arguments *arguments,
                                 const char *signature, char reason[ARGUMENTS_REASON_SIZE])
{
    if (arguments->count != 1)
        return refuse_count(arguments, 1, signature, reason);
    *ret = arguments->items[0];
    return BUSBAR_OK;
}

enum busbar_status arguments_convert(struct busbar_value **ret, const struct arguments *arguments,
                                     const char *signature, char reason[ARGUMENTS_REASON_SIZE])
{
    int count = signature != NULL ? signature_count(signature) : -1;
    if (count < 0)
        return arguments_by_rule(ret, arguments, ARGUMENTS_GUESS, reason);
    if (count != arguments->count)
        return refuse_count(arguments, count, signature, reason);
    struct busbar_value *list = busbar_value_list();
    if (list == NULL)
        return BUSBAR_NO_MEMORY;
    enum busbar_status status = convert_each(list, arguments, signature, reason);
    if (status != BUSBAR_OK)
        busbar_value_destroy(&list);
    *ret = list;
    return status;
}

static struct busbar_value *word_by_rule(const char *word, enum arguments_rule rule)
{
    switch (rule) {
    case ARGUMENTS_GUESS:
        return word_as_any(word);
    case ARGUMENTS_JSON:
        return word_as_json(word);
    case ARGUMENTS_STRING:
        return busbar_value_text(word);
    }
    return NULL;
}

enum busbar_status arguments_by_rule(struct busbar_value **ret, const struct arguments *arguments,
                                     enum arguments_rule rule, char reason[ARGUMENTS_REASON_SIZE])
{
    struct busbar_value *list = busbar_value_list();
    enum busbar_status status = list != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
    for (int i = 0; i < arguments->count && status == BUSBAR_OK; i++) {
        struct busbar_value *value = word_by_rule(arguments->items[i], rule);
        status = value != NULL
                     ? busbar_value_append(list, &value)
                     : refuse(arguments, i, rule == ARGUMENTS_JSON ? "JSON value" : "UTF-8 string",
                              reason);
    }
    if (status != BUSBAR_OK)
        busbar_value_destroy(&list);
    *ret = list;
    return status;
}
