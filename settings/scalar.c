/* The kinds of single values, one row each; maps and lists are in read.c. */
#include "settings/scalar.h"

#include "base/cleanup.h"
#include "settings/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* From large to small; the last one is written without its name. */
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit sizes[] = {
    {" GiB", 1u << 30}, {" MiB", 1u << 20}, {" KiB", 1u << 10}, {"", 1}, {NULL, 0}};
static const struct unit durations[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000},
                                        {"ms", 1},      {"", 1},      {NULL, 0}};

/* What tells the kinds of numbers from each other. */
static const struct number_type {
    const char *noun;
    uint64_t max;
    const struct unit *units;
} number_types[] = {
    [SETTINGS_U32] = {"a whole number", UINT32_MAX, no_units},
    [SETTINGS_U64] = {"a whole number", UINT64_MAX, no_units},
    [SETTINGS_SIZE] = {"a size like 64 KiB or 16 MiB", UINT64_MAX, sizes},
    [SETTINGS_DURATION] = {"a time like 500ms or 2s", UINT32_MAX, durations},
};

static uint64_t number_max(const struct settings_key *key)
{
    return key->max != 0 ? key->max : number_types[key->type].max;
}

/* Digits without a sign or a leading zero; the end of them, or NULL. */
static const char *parse_digits(const char *text, uint64_t *value)
{
    const char *at = text;
    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
            return NULL;
    }
    return at == text || (*text == '0' && at - text > 1) ? NULL : at;
}

/* A unit may stand with a space before it or without, whichever way the table writes it. */
static bool parse_number(const char *text, const struct unit *units, uint64_t *value)
{
    const char *end = parse_digits(text, value);
    if (end == NULL)
        return false;
    end += *end == ' ' && end[1] != '\0';
    for (; units->name != NULL; units++) {
        const char *name = units->name + (units->name[0] == ' ');
        if (strcmp(end, name) == 0)
            return !__builtin_mul_overflow(*value, units->factor, value);
    }
    return false;
}

static void format_number(uint64_t value, const struct unit *units, char out[32])
{
    while (units->factor > 1 && (value == 0 || value % units->factor != 0))
        units++;
    snprintf(out, 32, "%" PRIu64 "%s", value / units->factor, value == 0 ? "" : units->name);
}

const char *settings_size_text(uint64_t bytes, char out[SETTINGS_SIZE_TEXT])
{
    format_number(bytes, sizes, out);
    return out;
}

static uint64_t number_get(const struct settings_key *key, const void *member)
{
    if (number_types[key->type].max == UINT32_MAX) {
        uint32_t value;
        memcpy(&value, member, sizeof value);
        return value;
    }
    uint64_t value;
    memcpy(&value, member, sizeof value);
    return value;
}

static enum settings_outcome number_read(const struct settings_key *key, const char *text,
                                         void *member)
{
    const struct number_type *type = &number_types[key->type];
    uint64_t value;
    if (!parse_number(text, type->units, &value) || value < key->min || value > number_max(key))
        return SETTINGS_REFUSED;
    if (type->max == UINT32_MAX) {
        uint32_t narrow = (uint32_t)value;
        memcpy(member, &narrow, sizeof narrow);
    } else {
        memcpy(member, &value, sizeof value);
    }
    return SETTINGS_READ;
}

static void number_expected(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE])
{
    const struct number_type *type = &number_types[key->type];
    const char *comma = type->units == no_units ? "" : ",";
    char min[32];
    char max[32];
    format_number(key->min, type->units, min);
    format_number(number_max(key), type->units, max);
    if (number_max(key) != UINT64_MAX)
        snprintf(out, SETTINGS_EXPECTED_SIZE, "%s%s from %s to %s", type->noun, comma, min, max);
    else
        snprintf(out, SETTINGS_EXPECTED_SIZE, "%s%s of at least %s", type->noun, comma, min);
}

static void number_write(const struct settings_key *key, const void *member, FILE *out)
{
    char text[32];
    format_number(number_get(key, member), number_types[key->type].units, text);
    fputs(text, out);
}

static enum settings_outcome bool_read(const struct settings_key *key, const char *text,
                                       void *member)
{
    (void)key;
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return SETTINGS_REFUSED;
    memcpy(member, &value, sizeof value);
    return SETTINGS_READ;
}

static void bool_expected(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE])
{
    (void)key;
    snprintf(out, SETTINGS_EXPECTED_SIZE, "true or false");
}

static void bool_write(const struct settings_key *key, const void *member, FILE *out)
{
    (void)key;
    fputs(*(const bool *)member ? "true" : "false", out);
}

/* The index of a word; -1 if it is none of them. */
static int find_word(const struct settings_key *key, const char *text)
{
    for (int i = 0; key->words[i] != NULL; i++) {
        if (strcmp(key->words[i], text) == 0)
            return i;
    }
    return -1;
}

static void words_expected(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; key->words[i] != NULL && used < SETTINGS_EXPECTED_SIZE; i++) {
        const char *between = i == 0 ? "" : key->words[i + 1] == NULL ? " or " : ", ";
        used += (size_t)snprintf(out + used, SETTINGS_EXPECTED_SIZE - used, "%s%s", between,
                                 key->words[i]);
    }
}

static enum settings_outcome enum_read(const struct settings_key *key, const char *text,
                                       void *member)
{
    int index = find_word(key, text);
    if (index < 0)
        return SETTINGS_REFUSED;
    memcpy(member, &index, sizeof index);
    return SETTINGS_READ;
}

static void enum_write(const struct settings_key *key, const void *member, FILE *out)
{
    int index;
    memcpy(&index, member, sizeof index);
    settings_write_text(key->words[index], out);
}

static char *string_get(const void *member)
{
    char *text;
    memcpy(&text, member, sizeof text);
    return text;
}

static void string_fini(const struct settings_key *key, void *member)
{
    (void)key;
    char *none = NULL;
    free(string_get(member));
    memcpy(member, &none, sizeof none);
}

static enum settings_outcome string_read(const struct settings_key *key, const char *text,
                                         void *member)
{
    size_t length = strlen(text);
    if (length < key->min || (key->max != 0 && length > key->max) ||
        (key->words != NULL && find_word(key, text) < 0) ||
        (key->check != NULL && key->check(text) != NULL))
        return SETTINGS_REFUSED;
    char *copy = strdup(text);
    if (copy == NULL)
        return SETTINGS_NO_MEMORY;
    string_fini(key, member);
    memcpy(member, &copy, sizeof copy);
    return SETTINGS_READ;
}

static void string_expected(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE])
{
    if (key->words != NULL)
        words_expected(key, out);
    else if (key->max != 0)
        snprintf(out, SETTINGS_EXPECTED_SIZE, "a string of %" PRIu64 " to %" PRIu64 " bytes",
                 key->min, key->max);
    else if (key->min != 0)
        snprintf(out, SETTINGS_EXPECTED_SIZE, "a string of at least %" PRIu64 " bytes", key->min);
    else
        snprintf(out, SETTINGS_EXPECTED_SIZE, "a string");
}

static void string_write(const struct settings_key *key, const void *member, FILE *out)
{
    (void)key;
    settings_write_text(string_get(member), out);
}

static enum settings_outcome constant_read(const struct settings_key *key, const char *text,
                                           void *member)
{
    (void)member;
    return strcmp(text, key->standard) == 0 ? SETTINGS_READ : SETTINGS_REFUSED;
}

static void constant_expected(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE])
{
    snprintf(out, SETTINGS_EXPECTED_SIZE, "%s", key->standard);
}

static void constant_write(const struct settings_key *key, const void *member, FILE *out)
{
    (void)member;
    fputs(key->standard, out);
}

struct scalar_type {
    bool plain;  /* never in quotes */
    size_t size; /* of the member; 0: there is none */
    enum settings_outcome (*read)(const struct settings_key *key, const char *text, void *member);
    void (*expected)(const struct settings_key *key, char out[SETTINGS_EXPECTED_SIZE]);
    void (*write)(const struct settings_key *key, const void *member, FILE *out);
    void (*fini)(const struct settings_key *key, void *member);
};

static const struct scalar_type types[] = {
    [SETTINGS_BOOL] = {true, sizeof(bool), bool_read, bool_expected, bool_write, NULL},
    [SETTINGS_U32] = {true, sizeof(uint32_t), number_read, number_expected, number_write, NULL},
    [SETTINGS_U64] = {true, sizeof(uint64_t), number_read, number_expected, number_write, NULL},
    [SETTINGS_SIZE] = {false, sizeof(uint64_t), number_read, number_expected, number_write, NULL},
    [SETTINGS_DURATION] = {false, sizeof(uint32_t), number_read, number_expected, number_write,
                           NULL},
    [SETTINGS_STRING] = {false, sizeof(char *), string_read, string_expected, string_write,
                         string_fini},
    [SETTINGS_ENUM] = {false, sizeof(int), enum_read, words_expected, enum_write, NULL},
    [SETTINGS_CONSTANT] = {true, 0, constant_read, constant_expected, constant_write, NULL},
};

bool settings_is_scalar(enum settings_type type)
{
    return type < ARRAY_SIZE(types);
}

enum settings_outcome settings_scalar_read(const struct settings_key *key, const char *text,
                                           bool plain, void *member)
{
    if (!plain && types[key->type].plain)
        return SETTINGS_REFUSED;
    return types[key->type].read(key, text, member);
}

const char *settings_scalar_expected(const struct settings_key *key,
                                     const struct settings_node *node,
                                     char out[SETTINGS_EXPECTED_SIZE])
{
    const char *asked = NULL;
    if (key->check != NULL && node->kind == SETTINGS_SCALAR)
        asked = key->check(node->text);
    if (asked != NULL)
        return asked;
    types[key->type].expected(key, out);
    size_t used = strlen(out);
    if (node->kind == SETTINGS_SCALAR && !node->plain && types[key->type].plain)
        snprintf(out + used, SETTINGS_EXPECTED_SIZE - used, " without quotes");
    return out;
}

void settings_scalar_write(const struct settings_key *key, const void *member, FILE *out)
{
    types[key->type].write(key, member, out);
}

bool settings_scalar_is_standard(const struct settings_key *key, const void *member)
{
    uint64_t standard = 0;
    if (key->type == SETTINGS_STRING) {
        const char *text = string_get(member);
        return text == NULL || key->standard == NULL ? text == key->standard
                                                     : strcmp(text, key->standard) == 0;
    }
    if (key->standard != NULL &&
        settings_scalar_read(key, key->standard, true, &standard) != SETTINGS_READ)
        return false;
    return memcmp(&standard, member, types[key->type].size) == 0;
}

void settings_scalar_fini(const struct settings_key *key, void *member)
{
    if (types[key->type].fini != NULL)
        types[key->type].fini(key, member);
}
