/* Reads signatures by a table of their letters; what a letter is in C or as a value is not known
 * here. */
#include "protocol/signature.h"

#include "base/cleanup.h"
#include "base/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A letter, or two of them: of those that fit the first row wins, so the longer stand first. */
static const struct letter {
    const char *text;
    enum signature_type type;
    bool owned;
    bool nullable; /* '?' may follow */
    bool pointee;  /* '*' may stand before it */
} letters[] = {
    {"y4", SIGNATURE_BYTES32, false, true, false}, {"Y4", SIGNATURE_BYTES32, true, true, false},
    {"as", SIGNATURE_STRINGS, false, true, false}, {"AS", SIGNATURE_STRINGS, true, true, false},
    {"b", SIGNATURE_BOOL, false, false, true},     {"i", SIGNATURE_INT32, false, false, true},
    {"u", SIGNATURE_UINT32, false, false, true},   {"l", SIGNATURE_INT64, false, false, true},
    {"d", SIGNATURE_DOUBLE, false, false, true},   {"f", SIGNATURE_FLOAT, false, false, true},
    {"s", SIGNATURE_STRING, false, true, true},    {"S", SIGNATURE_STRING, true, true, true},
    {"y", SIGNATURE_BYTES, false, true, false},    {"Y", SIGNATURE_BYTES, true, true, false},
    {"v", SIGNATURE_VALUE, false, false, false},
};

struct reader {
    const char *text;
    const char *at;
    char *reason;
};

/* Says what is wrong, then the text it is wrong in. */
__attribute__((format(printf, 2, 3))) static bool refuse(const struct reader *reader,
                                                         const char *format, ...)
{
    char quoted[64];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(reader->reason, SIGNATURE_REASON_SIZE, format, arguments);
    va_end(arguments);
    if (used >= 0 && used < SIGNATURE_REASON_SIZE)
        snprintf(reader->reason + used, SIGNATURE_REASON_SIZE - (size_t)used, " %s",
                 quote(quoted, sizeof quoted, reader->text, strlen(reader->text)));
    return false;
}

static size_t position(const struct reader *reader)
{
    return (size_t)(reader->at - reader->text) + 1;
}

/* What stands at this place, as it may be printed between apostrophes. */
static const char *found(const struct reader *reader, char out[QUOTE_CHARACTER_SIZE])
{
    quote_character(out, reader->at, strlen(reader->at));
    return out;
}

static const struct letter *take_letter(struct reader *reader)
{
    char character[QUOTE_CHARACTER_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        size_t size = strlen(letters[i].text);
        if (strncmp(reader->at, letters[i].text, size) == 0) {
            reader->at += size;
            return &letters[i];
        }
    }
    if (*reader->at == '\0')
        refuse(reader, "no type at the end of");
    else
        refuse(reader, "no type '%s' at position %zu of", found(reader, character),
               position(reader));
    return NULL;
}

static bool take(struct reader *reader, char character)
{
    if (*reader->at != character)
        return false;
    reader->at++;
    return true;
}

/* The arguments, up to `end`. */
static bool read_arguments(struct signature *ret, struct reader *reader, char end)
{
    while (*reader->at != end) {
        if (*reader->at == '\0')
            return refuse(reader, "no '>' between arguments and result in");
        if (*reader->at == '*')
            return refuse(reader, "a '*' before the '>' at position %zu of", position(reader));
        size_t start = position(reader);
        const struct letter *letter = take_letter(reader);
        if (letter == NULL)
            return false;
        bool nullable = take(reader, '?');
        if (nullable && !letter->nullable)
            return refuse(reader, "'%s' at position %zu cannot have a '?' in", letter->text, start);
        if (ret->argument_count == SIGNATURE_ITEMS_MAX)
            return refuse(reader, "more than %d arguments in", SIGNATURE_ITEMS_MAX);
        ret->arguments[ret->argument_count++] = (struct signature_item){
            .type = letter->type, .owned = letter->owned, .nullable = nullable};
    }
    return true;
}

static bool read_result(struct signature *ret, struct reader *reader)
{
    size_t start = position(reader);
    bool pointer = take(reader, '*');
    const struct letter *letter = take_letter(reader);
    if (letter == NULL)
        return false;
    if (pointer && !letter->pointee)
        return refuse(reader, "'%s' at position %zu cannot have a '*' in", letter->text, start + 1);
    if (!pointer && ret->result_count > 0)
        return refuse(reader, "a further result without '*' at position %zu of", start);
    if (*reader->at == '?')
        return refuse(reader, "a '?' after a result at position %zu of", position(reader));
    if (ret->result_count == SIGNATURE_ITEMS_MAX)
        return refuse(reader, "more than %d results in", SIGNATURE_ITEMS_MAX);
    ret->returns = ret->returns || !pointer;
    ret->results[ret->result_count++] = (struct signature_item){.type = letter->type,
                                                                .owned = letter->owned};
    return true;
}

/* All that can be read is short: 16 arguments of 3 characters, '>', 16 results of 2. */
static bool finish(struct signature *ret, const char *text)
{
    memcpy(ret->text, text, strlen(text) + 1);
    return true;
}

_Static_assert(SIGNATURE_TEXT_MAX > SIGNATURE_ITEMS_MAX * (3 + 2) + 1, "any signature fits");

bool signature_parse(struct signature *ret, const char *text, char reason[SIGNATURE_REASON_SIZE])
{
    struct reader reader = {.text = text, .at = text, .reason = reason};
    *ret = (struct signature){0};
    if (!read_arguments(ret, &reader, '>'))
        return false;
    for (reader.at++; *reader.at != '\0';) {
        if (!read_result(ret, &reader))
            return false;
    }
    return finish(ret, text);
}

bool signature_parse_arguments(struct signature *ret, const char *text,
                               char reason[SIGNATURE_REASON_SIZE])
{
    struct reader reader = {.text = text, .at = text, .reason = reason};
    *ret = (struct signature){0};
    return read_arguments(ret, &reader, '\0') && finish(ret, text);
}

static bool is_bytes(const struct signature_item *item)
{
    return item->type == SIGNATURE_BYTES || item->type == SIGNATURE_BYTES32;
}

bool signature_takes_raw(const struct signature *signature)
{
    return signature->argument_count == 1 && is_bytes(&signature->arguments[0]) &&
           !signature->arguments[0].nullable;
}

bool signature_gives_raw(const struct signature *signature)
{
    return signature->result_count == 1 && is_bytes(&signature->results[0]);
}

/* Whose memory it is belongs to the type, as `const` does in C. */
static bool same_items(const struct signature_item *a, const struct signature_item *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i].type != b[i].type || a[i].owned != b[i].owned)
            return false;
    }
    return true;
}

bool signature_same_type(const struct signature *a, const struct signature *b)
{
    return a->argument_count == b->argument_count && a->result_count == b->result_count &&
           a->returns == b->returns && same_items(a->arguments, b->arguments, a->argument_count) &&
           same_items(a->results, b->results, a->result_count);
}
