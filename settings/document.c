/* The tree of a YAML file and the reading of files; the reading of YAML is in parse.c. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "settings/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIPE_WAIT_MS = 10000, /* for what a pipe is to bring */
};

struct settings_node *settings_node_new(enum settings_kind kind, struct settings_place place)
{
    struct settings_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->place = place;
    return node;
}

void settings_node_append(struct settings_node *parent, struct settings_node **child)
{
    struct settings_node *node = STEAL(*child);
    node->parent = parent;
    if (parent->last == NULL)
        parent->first = node;
    else
        parent->last->next = node;
    parent->last = node;
    parent->count++;
}

/* Recursive, but no deeper than SETTINGS_DEPTH. */
void settings_node_destroy(struct settings_node **node)
{
    struct settings_node *dead = STEAL(*node);
    if (dead == NULL)
        return;
    while (dead->first != NULL) {
        struct settings_node *child = dead->first;
        dead->first = child->next;
        settings_node_destroy(&child);
    }
    free(dead->key);
    free(dead->text);
    free(dead);
}

void settings_document_destroy(struct settings_document **document)
{
    struct settings_document *dead = STEAL(*document);
    if (dead == NULL)
        return;
    settings_node_destroy(&dead->root);
    for (size_t i = 0; i < dead->file_count; i++)
        free(dead->files[i]);
    free(dead);
}

const char *settings_document_file(const struct settings_document *document, size_t index)
{
    return index < document->file_count ? document->files[index] : NULL;
}

const struct settings_node *settings_node_find(const struct settings_node *map, const char *key)
{
    if (map == NULL || map->kind != SETTINGS_MAPPING)
        return NULL;
    for (const struct settings_node *node = map->first; node != NULL; node = node->next) {
        if (strcmp(node->key, key) == 0)
            return node;
    }
    return NULL;
}

const struct settings_node *settings_node_item(const struct settings_node *list, size_t index)
{
    if (list == NULL || list->kind != SETTINGS_SEQUENCE)
        return list;
    const struct settings_node *item = list->first;
    while (index-- > 0 && item != NULL)
        item = item->next;
    return item != NULL ? item : list;
}

bool settings_node_is_null(const struct settings_node *node)
{
    return node->kind == SETTINGS_SCALAR && node->plain && node->text != NULL &&
           (strcmp(node->text, "") == 0 || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

const char *settings_node_path(const struct settings_node *node, char *out, size_t size)
{
    char *start = out + size - 1;
    *start = '\0';
    for (; node != NULL; node = node->parent) {
        if (node->key == NULL)
            continue;
        size_t length = strlen(node->key);
        size_t dot = *start != '\0';
        if (length + dot > (size_t)(start - out))
            break;
        start -= dot;
        if (dot)
            *start = '.';
        start -= length;
        for (size_t i = 0; i < length; i++)
            start[i] = (unsigned char)node->key[i] < ' ' ? '?' : node->key[i];
    }
    return *start != '\0' ? start : "the file";
}

/* A pipe that nobody writes to must not keep a program from being stopped. */
static bool wait_for_data(int fd, bool wait)
{
    struct pollfd data = {.fd = fd, .events = POLLIN};
    int ready = 1;
    while (wait && (ready = poll(&data, 1, PIPE_WAIT_MS)) < 0 && errno == EINTR) {
    }
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0;
}

/* Reads until the end or until the buffer is full; the bytes read, or -1. */
static ssize_t read_whole(int fd, bool wait, char *data, size_t size)
{
    size_t used = 0;
    while (used < size) {
        if (!wait_for_data(fd, wait))
            return -1;
        ssize_t got = read(fd, data + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* The bytes of a file; -1 with errno set. */
static ssize_t read_path(const char *path, char *data, size_t size)
{
    if (strcmp(path, "-") == 0)
        return read_whole(STDIN_FILENO, false, data, size);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    ssize_t got = read_whole(fd, true, data, size);
    int error = errno;
    close(fd);
    errno = error;
    return got;
}

static void refuse_file(const struct settings_source *source, struct settings_place whole,
                        struct settings_errors *errors)
{
    const char *reason = errno == ETIMEDOUT ? "it brought nothing for 10 s" : strerror(errno);
    char path[256];
    if (source->naming == NULL)
        settings_errors_add(errors, whole, "cannot be read: %s", reason);
    else
        settings_node_complain(errors, source->naming, "the overlay %s cannot be read: %s",
                               quote(path, sizeof path, source->path, strlen(source->path)),
                               reason);
}

bool settings_document_load_source(struct settings_document **ret,
                                   const struct settings_source *source,
                                   struct settings_errors *errors)
{
    *ret = NULL;
    /* One byte more than allowed, so that the parser sees a file that is too large. */
    size_t size = SETTINGS_FILE_SIZE + 1;
    CLEANUP(cleanup_free) char *data = malloc(size);
    const char *name = strcmp(source->path, "-") == 0 ? "stdin" : source->path;
    struct settings_place whole = {.file = name, .order = source->order};
    if (data == NULL) {
        settings_errors_add(errors, whole, "out of memory");
        return false;
    }
    ssize_t got = read_path(source->path, data, size);
    if (got < 0) {
        refuse_file(source, whole, errors);
        return false;
    }
    if ((size_t)got == size && source->naming != NULL) {
        char path[256];
        settings_node_complain(errors, source->naming,
                               "the overlay %s is too large; a file may "
                               "have 1 MiB",
                               quote(path, sizeof path, source->path, strlen(source->path)));
        return false;
    }
    struct settings_text text = {
        .name = name,
        .data = data,
        .size = (size_t)got,
        .order = source->order,
    };
    return settings_document_parse(ret, &text, errors);
}

bool settings_document_load(struct settings_document **ret, const char *path,
                            struct settings_errors *errors)
{
    return settings_document_load_source(ret, &(struct settings_source){.path = path}, errors);
}
