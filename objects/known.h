/* What a proxy has learned from the bus about the methods of its service. */
#ifndef OBJECTS_KNOWN_H
#define OBJECTS_KNOWN_H

#include <busbar/value.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/siphash.h"

/* Never changed, and there until its proxy goes: so it can be used without a lock. */
struct known_method {
    struct known_method *next; /* in its bucket of all that were ever learned */
    char *name;
    char *signature; /* "" if not told */
    char *text;      /* "" if none */
    bool idempotent;
    bool takes_raw;
};

struct known {
    pthread_mutex_t lock;          /* of what follows */
    struct known_method **buckets; /* all, by their names; NULL before the first description */
    struct siphash_key key;
    size_t all_count;
    const struct known_method **methods; /* of the last description, in the order of their names */
    size_t count;
    bool is_current; /* nothing has happened that casts doubt on it */
};

void known_init(struct known *known);
void known_fini(struct known *known);

/* NULL if the method is not known, or the description in doubt. */
const struct known_method *known_find(struct known *known, const char *method);

/*
 * Takes in the answer of `bus.describe`. Of several registrations a method is idempotent if all say
 * so, and has the first signature that is told. False for what is no description, and when out of
 * memory; then everything is as before.
 */
bool known_learn(struct known *known, const struct busbar_value *description);

/* The service may be another one by now. */
void known_doubt(struct known *known);

/* The method at an index of the last description, in doubt or not; NULL past its end. */
const struct known_method *known_at(struct known *known, size_t index);

#endif
