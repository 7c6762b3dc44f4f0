/* Writes texts as YAML; which of them would read back as something else is known in here alone. */
#include "settings/text.h"

#include "base/cleanup.h"
#include "base/quote.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* What readers of YAML take for a number, a date or a time; signs are in quotes anyway. */
static bool is_number(const char *text)
{
    static const char digits[] = DIGITS "_";
    if (text[strspn(text, DIGITS "_-:")] == '\0')
        return true;
    if (text[0] == '0' && text[1] != '\0' && strchr("xXoObB", text[1]) != NULL)
        return text[2] != '\0' && text[2 + strspn(text + 2, DIGITS "abcdefABCDEF_")] == '\0';
    const char *at = text + strspn(text, digits);
    if (*at == '.')
        at += 1 + strspn(at + 1, digits);
    if (at == text || *at == '\0')
        return at != text;
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    at += *at == '+' || *at == '-';
    return *at != '\0' && at[strspn(at, digits)] == '\0';
}

/* What readers of YAML, ours or others, take for something else than a text. */
static bool is_special(const char *text)
{
    static const char *const words[] = {
        "true", "false", "null", "yes", "no", "on", "off", ".inf", ".nan", "...",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(text, words[i]) == 0)
            return true;
    }
    return is_number(text);
}

/* Can be read back without quotes. */
static bool is_plain(const char *text)
{
    static const char first[] = LETTERS DIGITS "/._";
    static const char safe[] = LETTERS DIGITS "/._-:*+=@$";
    size_t length = strlen(text);
    return length > 0 && strchr(first, text[0]) != NULL && strspn(text, safe) == length &&
           text[length - 1] != ':' && !is_special(text);
}

/* Two `$` mean one; a single one needs no other unless it would begin something. */
static bool begins_variable(const char *text)
{
    return text[0] == '$' && (text[1] == '$' || text[1] == '{');
}

static void write_quoted(const char *text, bool variables, FILE *out)
{
    size_t length = strlen(text);
    fputc('"', out);
    for (size_t at = 0; at < length;) {
        char character[QUOTE_CHARACTER_SIZE];
        if (variables && begins_variable(text + at))
            fputc('$', out);
        at += quote_character(character, text + at, length - at);
        fputs(character, out);
    }
    fputc('"', out);
}

void settings_write_text(const char *text, FILE *out)
{
    if (is_plain(text) && strchr(text, '$') == NULL)
        fputs(text, out);
    else
        write_quoted(text, true, out);
}

void settings_write_key(const char *text, FILE *out)
{
    if (is_plain(text))
        fputs(text, out);
    else
        write_quoted(text, false, out);
}
