/* A struct's settings as a table: its defaults, its reading from YAML, its printing, its freeing. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include "settings/document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum settings_type {
    SETTINGS_BOOL,     /* bool: true or false */
    SETTINGS_U32,      /* uint32_t */
    SETTINGS_U64,      /* uint64_t */
    SETTINGS_SIZE,     /* uint64_t bytes: 65536, 64 KiB, 16 MiB, 1 GiB */
    SETTINGS_DURATION, /* uint32_t ms: 500, 500ms, 2s, 5m, 1h */
    SETTINGS_STRING, /* char *, owned, NULL if it has no default; one of `words` if there are any */
    SETTINGS_ENUM,   /* an enum: the index into `words` */
    SETTINGS_CONSTANT,  /* no member: the value can only be the default */
    SETTINGS_GROUP,     /* a map of its own `table`, in a member or (offset 0) in the same struct */
    SETTINGS_LIST,      /* an owned array of structs of `table`, and a size_t that counts them */
    SETTINGS_MAP,       /* the same for a map with free keys: the first member of the struct is a
                          `char *` that holds the key, and no row of `table` */
    SETTINGS_ELSEWHERE, /* no member: the key is allowed, and read by somebody else */
};

struct settings_table;

struct settings_key {
    const char *key;
    enum settings_type type;
    bool required;       /* must be given */
    bool single;         /* of a list: one item alone may stand for a list of it */
    size_t offset;       /* of the member; see SETTINGS_AT */
    size_t count_offset; /* of a list or map: of its count */
    /* As it would stand in a file; of a list, its only item. NULL: zero, empty or none. */
    const char *standard;
    uint64_t min; /* of numbers; of strings in bytes; of lists in items, of maps in pairs */
    uint64_t max; /* 0: what the type holds */
    const char *const *words;
    const struct settings_table *table;
    /* NULL if a string will do, else what it should be, as in "a path that begins with /". */
    const char *(*check)(const char *text);
    const char *(*check_key)(const char *text); /* the same for the free keys of a map */
    const char *help;                           /* one or several lines */
};

struct settings_table {
    const struct settings_key *keys;
    size_t count;
    size_t size; /* of the struct, for items of lists */
    /* Of items of lists and maps, and of groups: the key that something which is no map is the value
     * of, as `proxy: NAME` stands for `proxy: {service: NAME}`. */
    const char *shorthand;
};

/* The offset of a member, which must be of the type named (else: negative array size). */
#define SETTINGS_AT(structure, member, member_type)                                                \
    (offsetof(structure, member) +                                                                 \
     0 * sizeof(                                                                                   \
             char[__builtin_types_compatible_p(__typeof__(((structure *)0)->member), member_type)  \
                      ? 1                                                                          \
                      : -1]))

/* All defaults into a struct whose old content does not matter; false when out of memory. */
bool settings_init(const struct settings_table *table, void *target);

/*
 * What a map says, over what is in the struct. False if there were errors; then some members are
 * read and some are not, but all can be freed.
 */
bool settings_read(const struct settings_table *table, const struct settings_node *map,
                   void *target, struct settings_errors *errors);

/* As YAML, each key's help above it; reads back as the same struct. */
void settings_dump(const struct settings_table *table, const void *target, FILE *out);

/*
 * The same without explanations, `indent` spaces in, and without what is as settings_init makes it,
 * unless it is required. What has a shorthand and nothing else to say is written short, but for the
 * shorthand of `table` itself. Texts are in quotes where this or other readers of YAML would take
 * them for something else; `$` is written so that the replacing of variables gives it back.
 */
void settings_dump_bare(const struct settings_table *table, const void *target, unsigned indent,
                        FILE *out);

/* Frees what the struct owns and sets it to zero; a second time does nothing. */
void settings_fini(const struct settings_table *table, void *target);

#endif
