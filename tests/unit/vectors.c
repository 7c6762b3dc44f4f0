#include "vectors.h"

#include <stdlib.h>
#include <string.h>

struct parser {
    struct vector_list *list;
    struct vector *vector;       /* NULL outside of one */
    struct vector_bytes *filled; /* where lines of bytes go; NULL if none may come */
    const char *path;
    unsigned line;
};

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);
    if (grown == NULL)
        abort();
    memset((char *)grown + count * size, 0, size);
    return grown;
}

static char *copy(const char *text)
{
    char *copied = strdup(text);
    if (copied == NULL)
        abort();
    return copied;
}

static void bytes_fill(struct vector_bytes *bytes, uint8_t byte, size_t count)
{
    size_t size = bytes->size + count;
    uint8_t *data = realloc(bytes->data, size > 0 ? size : 1); /* exact, for sanitizers */
    if (data == NULL)
        abort();
    memset(data + bytes->size, byte, count);
    bytes->data = data;
    bytes->size = size;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Two hex digits, alone or followed by a count. */
static bool is_byte(const char *text)
{
    return is_hex(text[0]) && is_hex(text[1]) && strchr(" *", text[2]) != NULL;
}

static bool bytes_append(struct vector_bytes *bytes, const char *text)
{
    while (*text != '\0') {
        if (!is_byte(text))
            return false;
        char digits[3] = {text[0], text[1], '\0'};
        unsigned long count = 1;
        char *end = NULL;
        text += 2;
        if (*text == '*') {
            count = strtoul(text + 1, &end, 10);
            text = end;
        }
        bytes_fill(bytes, (uint8_t)strtoul(digits, NULL, 16), count);
        text += strspn(text, " ");
    }
    return true;
}

bool vector_parse_bytes(struct vector_bytes *bytes, const char *text)
{
    size_t size = strlen(text);
    *bytes = (struct vector_bytes){0};
    bytes_fill(bytes, 0, 0);
    if (size < 2 || text[0] != '"')
        return bytes_append(bytes, text);
    for (size_t i = 1; i < size - 1; i++)
        bytes_fill(bytes, (uint8_t)text[i], 1);
    return text[size - 1] == '"';
}

/* Cuts off the comment and the blanks around what is left. */
static char *strip(char *line)
{
    bool quoted = false;
    line += strspn(line, " \t");
    char *end = line;
    for (; *end != '\0' && *end != '\n' && (quoted || *end != '#'); end++)
        quoted ^= *end == '"';
    while (end > line && strchr(" \t\r", end[-1]) != NULL)
        end--;
    *end = '\0';
    return line;
}

static void parser_start(struct parser *parser, const char *name)
{
    struct vector_list *list = parser->list;
    list->items = grow(list->items, list->count, sizeof *list->items);
    parser->vector = &list->items[list->count++];
    parser->vector->name = copy(name);
    parser->filled = NULL;
}

static void parser_add_line(struct parser *parser, char *line)
{
    struct vector *vector = parser->vector;
    char *text = line + strcspn(line, " ");
    if (*text != '\0')
        *text++ = '\0';
    text += strspn(text, " ");
    vector->lines = grow(vector->lines, vector->line_count, sizeof *vector->lines);
    vector->lines[vector->line_count++] = (struct vector_line){copy(line), copy(text)};
    parser->filled = NULL;
}

/* `vector name` and nothing more, so that prose may begin with the word. */
static bool starts_vector(const char *line)
{
    return strncmp(line, "vector ", 7) == 0 && line[7] != '\0' &&
           line[7 + strspn(line + 7, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool parser_take(struct parser *parser, char *line)
{
    if (starts_vector(line)) {
        if (parser->vector != NULL)
            return false;
        parser_start(parser, line + 7);
        return true;
    }
    if (parser->vector == NULL || *line == '\0')
        return true;
    if (parser->filled != NULL && is_byte(line))
        return bytes_append(parser->filled, line);
    if (strcmp(line, "frame") == 0 ||
        (strcmp(line, "body") == 0 && parser->filled == NULL && parser->vector->frame.data == NULL))
        parser->filled = &parser->vector->frame;
    else if (strcmp(line, "attached") == 0)
        parser->filled = &parser->vector->attached;
    else if (strcmp(line, "tolerated") == 0)
        parser->vector->tolerated = true;
    else if (strcmp(line, "end") == 0)
        parser->vector = NULL;
    else
        parser_add_line(parser, line);
    if (parser->filled != NULL && parser->filled->data == NULL)
        bytes_fill(parser->filled, 0, 0);
    return true;
}

FILE *vectors_open(const char *path)
{
    const char *root = getenv("BUSBAR_SOURCE");
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", root == NULL ? "." : root, path);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        perror(name);
    return file;
}

bool vectors_load(struct vector_list *list, const char *path)
{
    struct parser parser = {.list = list, .path = path};
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    FILE *file = vectors_open(path);
    if (file == NULL)
        return false;
    while (good && getline(&line, &room, file) >= 0) {
        parser.line++;
        good = parser_take(&parser, strip(line));
    }
    if (!good || parser.vector != NULL)
        fprintf(stderr, "%s:%u: not a vector\n", path, parser.line);
    free(line);
    fclose(file);
    return good && parser.vector == NULL;
}

void vectors_fini(struct vector_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct vector *vector = &list->items[i];
        for (size_t j = 0; j < vector->line_count; j++) {
            free(vector->lines[j].key);
            free(vector->lines[j].text);
        }
        free(vector->lines);
        free(vector->frame.data);
        free(vector->attached.data);
        free(vector->name);
    }
    free(list->items);
    *list = (struct vector_list){0};
}

const struct vector *vectors_find(const struct vector_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    }
    return NULL;
}
