/* Builds the tree of a document from libyaml's events, within bounds; nothing else sees libyaml. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "base/quote.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct parse {
    yaml_parser_t yaml;
    const struct settings_text *text; /* without a byte order mark */
    struct settings_document *document;
    struct settings_errors *errors;
    struct settings_node *open[SETTINGS_DEPTH]; /* the lists and maps that have not ended */
    size_t depth;
    char *key; /* of the map open[depth - 1], while its value is awaited */
    struct settings_place key_place;
    size_t nodes;
    size_t documents;
    bool ended;
    bool useless; /* what was read so far means nothing without the rest */
};

static struct settings_place place_at(const struct parse *parse, yaml_mark_t mark)
{
    return (struct settings_place){
        .file = parse->document->files[0],
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
        .order = parse->text->order,
    };
}

/* Reports what makes it senseless to read on. */
static void stop(struct parse *parse, struct settings_place place, const char *what)
{
    settings_errors_add(parse->errors, place, "%s", what);
    parse->ended = true;
    parse->useless = true;
}

static bool awaits_key(const struct parse *parse)
{
    return parse->depth > 0 && parse->open[parse->depth - 1]->kind == SETTINGS_MAPPING &&
           parse->key == NULL;
}

/* Hangs a new node into the tree; NULL if that ended the reading. */
static struct settings_node *add_node(struct parse *parse, enum settings_kind kind,
                                      struct settings_place place)
{
    if (awaits_key(parse)) {
        stop(parse, place, "a key must be a plain word, not a list, a map or an alias");
        return NULL;
    }
    if (parse->nodes++ == SETTINGS_NODES) {
        stop(parse, place, "too many values; a file may hold 65536");
        return NULL;
    }
    struct settings_node *node = settings_node_new(kind, place);
    if (node == NULL) {
        stop(parse, place, "out of memory");
        return NULL;
    }
    node->key = STEAL(parse->key);
    node->key_place = parse->key_place;
    struct settings_node *added = node;
    if (parse->depth == 0)
        parse->document->root = node;
    else
        settings_node_append(parse->open[parse->depth - 1], &node);
    return added;
}

/* Anchors and tags change what a reader takes a value for; there are none in a configuration. */
static bool refuse_properties(struct parse *parse, const yaml_char_t *anchor,
                              const yaml_char_t *tag, struct settings_place place)
{
    if (anchor != NULL)
        settings_errors_add(parse->errors, place,
                            "anchors (&) are not supported; write the value out where it is used");
    if (tag != NULL)
        settings_errors_add(parse->errors, place,
                            "tags (!) are not supported; write the value only");
    return anchor != NULL || tag != NULL;
}

static void on_document_start(struct parse *parse, const yaml_event_t *event)
{
    if (parse->documents++ > 0)
        stop(parse, place_at(parse, event->start_mark),
             "a second document starts here; a file must hold only one");
}

static void on_stream_end(struct parse *parse, const yaml_event_t *event)
{
    (void)event;
    parse->ended = true;
}

static void on_alias(struct parse *parse, const yaml_event_t *event)
{
    struct settings_place place = place_at(parse, event->start_mark);
    struct settings_node *node = add_node(parse, SETTINGS_SCALAR, place);
    if (node == NULL)
        return;
    node->broken = true;
    settings_errors_add(parse->errors, place, "aliases (*) are not supported; write the value out");
}

static void on_scalar(struct parse *parse, const yaml_event_t *event)
{
    struct settings_place place = place_at(parse, event->start_mark);
    size_t length = event->data.scalar.length;
    if (memchr(event->data.scalar.value, '\0', length) != NULL) {
        stop(parse, place, "a value must not hold a zero byte");
        return;
    }
    bool broken = refuse_properties(parse, event->data.scalar.anchor, event->data.scalar.tag,
                                    place);
    char *text = strndup((const char *)event->data.scalar.value, length);
    if (text == NULL) {
        stop(parse, place, "out of memory");
        return;
    }
    if (awaits_key(parse)) {
        parse->key = text;
        parse->key_place = place;
        return;
    }
    struct settings_node *node = add_node(parse, SETTINGS_SCALAR, place);
    if (node == NULL) {
        free(text);
        return;
    }
    node->text = text;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->broken = broken;
}

static void open_node(struct parse *parse, struct settings_node *node)
{
    if (node == NULL)
        return;
    if (parse->depth == SETTINGS_DEPTH) {
        stop(parse, node->place, "lists and maps are nested too deeply; 32 levels are allowed");
        return;
    }
    parse->open[parse->depth++] = node;
}

static void on_sequence_start(struct parse *parse, const yaml_event_t *event)
{
    struct settings_place place = place_at(parse, event->start_mark);
    bool broken = refuse_properties(parse, event->data.sequence_start.anchor,
                                    event->data.sequence_start.tag, place);
    struct settings_node *node = add_node(parse, SETTINGS_SEQUENCE, place);
    if (node != NULL)
        node->broken = broken;
    open_node(parse, node);
}

static void on_mapping_start(struct parse *parse, const yaml_event_t *event)
{
    struct settings_place place = place_at(parse, event->start_mark);
    bool broken = refuse_properties(parse, event->data.mapping_start.anchor,
                                    event->data.mapping_start.tag, place);
    struct settings_node *node = add_node(parse, SETTINGS_MAPPING, place);
    if (node != NULL)
        node->broken = broken;
    open_node(parse, node);
}

static void on_sequence_end(struct parse *parse, const yaml_event_t *event)
{
    (void)event;
    parse->depth--;
}

static int compare_keys(const void *left, const void *right)
{
    const struct settings_node *a = *(struct settings_node *const *)left;
    const struct settings_node *b = *(struct settings_node *const *)right;
    int order = strcmp(a->key, b->key);
    if (order != 0)
        return order;
    if (a->key_place.line != b->key_place.line)
        return a->key_place.line < b->key_place.line ? -1 : 1;
    return a->key_place.column < b->key_place.column ? -1 : 1;
}

static void refuse_duplicates(struct parse *parse, struct settings_node **nodes, size_t count)
{
    qsort(nodes, count, sizeof *nodes, compare_keys);
    const struct settings_node *first = nodes[0];
    for (size_t i = 1; i < count; i++) {
        if (strcmp(first->key, nodes[i]->key) != 0) {
            first = nodes[i];
            continue;
        }
        char key[80];
        nodes[i]->broken = true;
        settings_errors_add(parse->errors, nodes[i]->key_place,
                            "duplicate key %s; it is already on line %u, keep one of them",
                            quote(key, sizeof key, first->key, strlen(first->key)),
                            (unsigned)first->key_place.line);
    }
}

/* Sorts, so that a map of many keys does not take quadratic time. */
static void on_mapping_end(struct parse *parse, const yaml_event_t *event)
{
    struct settings_node *map = parse->open[--parse->depth];
    if (map->count < 2)
        return;
    CLEANUP(cleanup_free) struct settings_node **nodes = calloc(map->count, sizeof *nodes);
    if (nodes == NULL) {
        stop(parse, place_at(parse, event->start_mark), "out of memory");
        return;
    }
    size_t count = 0;
    for (struct settings_node *node = map->first; node != NULL; node = node->next)
        nodes[count++] = node;
    refuse_duplicates(parse, nodes, count);
}

static void (*const handlers[])(struct parse *parse, const yaml_event_t *event) = {
    [YAML_STREAM_END_EVENT] = on_stream_end,
    [YAML_DOCUMENT_START_EVENT] = on_document_start,
    [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,
    [YAML_SEQUENCE_START_EVENT] = on_sequence_start,
    [YAML_SEQUENCE_END_EVENT] = on_sequence_end,
    [YAML_MAPPING_START_EVENT] = on_mapping_start,
    [YAML_MAPPING_END_EVENT] = on_mapping_end,
};

/* What to do about the mistakes that people make most, by libyaml's words for them. */
static const char *syntax_hint(const char *problem)
{
    static const struct {
        const char *problem;
        const char *hint;
    } hints[] = {
        {"found character that cannot start any token",
         "; indent with spaces, not tabs, and quote values that start with >, |, @, ` or %"},
        {"did not find expected comment or line break",
         "; quote a value that starts with > or |, as in \">i\""},
        {"mapping values are not allowed in this context",
         "; quote a value that has a colon and a space in it, or check the indentation"},
        {"did not find expected key", "; check the indentation of this line"},
        {"could not find expected ':'", "; write KEY: VALUE with a space after the colon"},
        {"did not find expected ',' or ']'", "; close the list with ]"},
        {"did not find expected ',' or '}'", "; close the map with }"},
        {"did not find expected '-' indicator", "; start each item of the list with \"- \""},
        {"did not find expected <document start>", "; a file must hold only one document"},
        {"found unexpected end of stream", "; close the quote"},
        {"control characters are not allowed", "; write them as \\xNN in double quotes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
        if (strcmp(problem, hints[i].problem) == 0)
            return hints[i].hint;
    }
    return "";
}

/* libyaml tells where bytes are no UTF-8 only by their offset. */
static struct settings_place place_of_byte(const struct parse *parse, size_t offset)
{
    struct settings_place place = place_at(parse, (yaml_mark_t){0});
    for (size_t i = 0; i < offset && i < parse->text->size; i++) {
        unsigned char byte = (unsigned char)parse->text->data[i];
        if (byte == '\n') {
            place.line++;
            place.column = 1;
        } else if ((byte & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

/* In brackets the brace of a variable ends a value that is not in quotes. */
static bool is_at_variable(const struct parse *parse, yaml_mark_t mark)
{
    const char *data = parse->text->data;
    yaml_mark_t at = {0};
    for (size_t i = 0; i < parse->text->size && at.line <= mark.line; i++) {
        if (data[i] == '{' && at.line == mark.line && at.column == mark.column)
            return i > 0 && data[i - 1] == '$';
        if (data[i] == '\n')
            at = (yaml_mark_t){.line = at.line + 1};
        else
            at.column += ((unsigned char)data[i] & 0xc0) != 0x80;
    }
    return false;
}

static void on_syntax_error(struct parse *parse)
{
    const yaml_parser_t *yaml = &parse->yaml;
    const char *problem = yaml->problem != NULL ? yaml->problem : "out of memory";
    if (yaml->error == YAML_READER_ERROR) {
        bool control = strcmp(problem, "control characters are not allowed") == 0;
        settings_errors_add(parse->errors, place_of_byte(parse, yaml->problem_offset), "%s%s",
                            control ? problem : "not UTF-8; save the file as UTF-8",
                            syntax_hint(problem));
    } else if (yaml->context != NULL && yaml->context_mark.line != yaml->problem_mark.line) {
        settings_errors_add(parse->errors, place_at(parse, yaml->problem_mark),
                            "%s %s that starts on line %zu%s", problem, yaml->context,
                            yaml->context_mark.line + 1, syntax_hint(problem));
    } else {
        settings_errors_add(parse->errors, place_at(parse, yaml->problem_mark), "%s%s%s%s", problem,
                            yaml->context != NULL ? " " : "",
                            yaml->context != NULL ? yaml->context : "",
                            is_at_variable(parse, yaml->problem_mark)
                                ? "; inside [] and {} quote a value that has a variable"
                                : syntax_hint(problem));
    }
    parse->useless = true;
}

static void read_events(struct parse *parse)
{
    yaml_parser_set_encoding(&parse->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parse->yaml, (const unsigned char *)parse->text->data,
                                 parse->text->size);
    while (!parse->ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parse->yaml, &event)) {
            on_syntax_error(parse);
            return;
        }
        size_t type = (size_t)event.type;
        if (type < ARRAY_SIZE(handlers) && handlers[type] != NULL)
            handlers[type](parse, &event);
        yaml_event_delete(&event);
    }
}

/* An empty file says nothing, as an empty map does. */
static bool ensure_root(const struct parse *parse)
{
    struct settings_document *document = parse->document;
    if (document->root == NULL) {
        document->root = settings_node_new(SETTINGS_MAPPING, place_at(parse, (yaml_mark_t){0}));
    } else if (settings_node_is_null(document->root)) {
        document->root->kind = SETTINGS_MAPPING;
    }
    return document->root != NULL;
}

static struct settings_document *document_new(const char *name)
{
    struct settings_document *document = calloc(1, sizeof *document);
    if (document == NULL)
        return NULL;
    document->files[0] = strdup(name);
    document->file_count = document->files[0] != NULL;
    if (document->file_count == 0)
        settings_document_destroy(&document);
    return document;
}

bool settings_document_parse(struct settings_document **ret, const struct settings_text *text,
                             struct settings_errors *errors)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct settings_text body = *text;
    if (body.size >= 3 && memcmp(body.data, mark, 3) == 0) {
        body.data += 3;
        body.size -= 3;
    }
    size_t before = errors->count;
    struct parse parse = {.text = &body, .errors = errors};
    struct settings_place whole = {.file = text->name, .order = text->order};
    *ret = NULL;
    if (text->size > SETTINGS_FILE_SIZE) {
        settings_errors_add(errors, whole, "is too large; a file may have 1 MiB");
        return false;
    }
    parse.document = document_new(text->name);
    if (parse.document == NULL || !yaml_parser_initialize(&parse.yaml)) {
        settings_document_destroy(&parse.document);
        settings_errors_add(errors, whole, "out of memory");
        return false;
    }
    read_events(&parse);
    yaml_parser_delete(&parse.yaml);
    free(parse.key);
    if (!ensure_root(&parse))
        stop(&parse, whole, "out of memory");
    if (parse.useless)
        settings_document_destroy(&parse.document);
    *ret = parse.document;
    return errors->count == before;
}
