/* What a worker tells of a service: the body of REGISTER, and of an answer to `describe`. */
#ifndef PROTOCOL_REGISTRATION_H
#define PROTOCOL_REGISTRATION_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct busbar_value;

enum {
    REGISTRATION_METHODS_MAX = 1024,
    REGISTRATION_TAGS_MAX = 64,
    REGISTRATION_TEXT_MAX = 4096,    /* bytes of a method's text, a signature, a tag or a version */
    REGISTRATION_SIZE_MAX = 1 << 20, /* bytes of the body: bounds what decoding may allocate */
};

struct registration_method {
    char *name;
    char *signature; /* "" if not known */
    char *text;      /* "" if none */
    bool idempotent;
};

struct registration_tag {
    char *name;
    char *value;
};

/* Owns all its strings, each NUL-terminated. */
struct registration {
    char *version; /* "" if none */
    struct registration_tag *tags;
    size_t tag_count;
    struct registration_method *methods;
    size_t method_count;
};

void registration_fini(struct registration *registration);

/* Bytes of memory it takes, roughly: what a peer is held to. */
size_t registration_memory(const struct registration *registration);

/*
 * The body as MessagePack, for free():
 *   {"version": str, "tags": {str: str}, "methods":
 *    [{"name": str, "signature": str, "idempotent": bool, "text": str}, …]}
 * Texts, tags and lists that are empty are left out; unknown keys are ignored by the decoder.
 * TOO_LARGE over REGISTRATION_SIZE_MAX; names and bounds are otherwise for the decoder to check.
 */
enum busbar_status registration_encode(const struct registration *registration, void **ret_data,
                                       size_t *ret_size) __attribute__((warn_unused_result));

/*
 * Checks bytes from a peer: types, name grammar, at least one method, no method and no tag twice,
 * the bounds above. BAD_REQUEST otherwise, `reason` receives a static text. On failure `ret` is
 * untouched.
 */
enum busbar_status registration_decode(struct registration *ret, const void *data, size_t size,
                                       const char **reason) __attribute__((warn_unused_result));

/* The same as a value, for the answers of the built-in service; NULL when out of memory. */
struct busbar_value *registration_value(const struct registration *registration);

#endif
