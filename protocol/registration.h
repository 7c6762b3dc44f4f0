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
    REGISTRATION_WEIGHT = 100,       /* of a worker that says nothing */
    REGISTRATION_WEIGHT_MAX = 10000,
    REGISTRATION_STALL_MAX = 24 * 3600 * 1000, /* ms */
};

/* How the calls of a service are spread over its workers. X(NAME, word of files and packets) */
#define BALANCE_TABLE(X)                                                                           \
    X(UNSET, "")                                                                                   \
    X(LEAST_LOADED, "least_loaded")                                                                \
    X(ROUND_ROBIN, "round_robin")                                                                  \
    X(RANDOM, "random")                                                                            \
    X(STICKY, "sticky")

enum balance {
#define BALANCE_ENUM(name, text) BALANCE_##name,
    BALANCE_TABLE(BALANCE_ENUM)
#undef BALANCE_ENUM
        BALANCE_COUNT,
};

/* "" for BALANCE_UNSET. */
const char *balance_name(enum balance balance);

/* False for a word that is none. */
bool balance_of_name(enum balance *balance, const char *name);

struct registration_method {
    char *name;
    char *signature; /* "" if not known */
    char *text;      /* "" if none */
    uint32_t stall;  /* ms without a sign after which the handler counts as hanging; 0 for never */
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
    uint32_t weight; /* against other workers of the service; 0 means REGISTRATION_WEIGHT */
    enum balance balance;
    bool caller; /* wants to know who calls */
    /* Of a worker whose protocol has no methods: its first has the empty name and stands for all that
     * nobody offers by name. Never on the wire. */
    bool whole;
};

static inline uint32_t registration_weight(const struct registration *registration)
{
    return registration->weight == 0 ? REGISTRATION_WEIGHT : registration->weight;
}

void registration_fini(struct registration *registration);

/* Bytes of memory it takes, roughly: what a peer is held to. */
size_t registration_memory(const struct registration *registration);

/*
 * The body as MessagePack, for free():
 *   {"version": str, "tags": {str: str}, "methods":
 *    [{"name": str, "signature": str, "idempotent": bool, "text": str, "stall": ms}, …],
 *    "balance": str, "weight": int, "caller": bool}
 * Texts, numbers that are the default, tags and lists that are empty are left out; unknown keys are ignored by the decoder.
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
