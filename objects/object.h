/* What every kind of object is made of: a count of references, and a table of what it can do. */
#ifndef OBJECTS_OBJECT_H
#define OBJECTS_OBJECT_H

#include <busbar/object.h>

#include <stdatomic.h>

#include "objects/fork_lock.h"
#include "protocol/registration.h"
#include "protocol/signature.h"
#include "settings/document.h"
#include "settings/table.h"

struct links;

/* A method that an object says it has. */
struct object_method {
    const char *name;
    const char *signature; /* "" if not known */
    const char *text;      /* "" if none */
    bool idempotent;
};

/* Receives methods, one by one; what they point to is borrowed for the call. False ends it. */
typedef bool object_method_fn(void *context, const struct object_method *method);

/*
 * The functions of a kind. They run on the thread of a caller, on many at once; failures are told
 * by busbar_fail, which the status that is returned has been given to.
 */
struct object_class {
    const char *kind;
    enum busbar_status (*call)(struct busbar_object *object, const struct busbar_object_call *call,
                               struct busbar_value **ret);
    void (*destroy)(struct busbar_object *object); /* frees the object as well */

    /* All methods; may ask the bus, at most `timeout_ms`. NULL: nothing is known. */
    enum busbar_status (*describe)(struct busbar_object *object, uint32_t timeout_ms,
                                   object_method_fn *each, void *context);
    /* What is known of one method without asking anybody; NULL and false: nothing. The result is
     * borrowed until the object goes. */
    bool (*find)(struct busbar_object *object, const char *method, struct object_method *ret);
    /* The address of the C function behind a method of a library; NULL elsewhere. The signature is
     * borrowed. */
    void *(*address)(struct busbar_object *object, const char *method,
                     const struct signature **signature);
    /* Can it be reached? OK for kinds without the function. */
    enum busbar_status (*probe)(struct busbar_object *object, uint32_t timeout_ms);
    /* The connections of the application it was added to; proxies alone. */
    void (*attach)(struct busbar_object *object, struct links *links);
    /* It has become a member of a pool, so that others can be asked where it cannot be reached;
     * proxies alone. */
    void (*joined)(struct busbar_object *object);
    /* The members of a pool; index from 0, NULL at the end, each with a reference for the caller. */
    struct busbar_object *(*member)(struct busbar_object *object, size_t index);
    /* What errors call it while it has no id; NULL: its kind. */
    const char *(*name)(const struct busbar_object *object);
    /* The keys of the object as a file has them, `indent` spaces in. */
    void (*dump)(const struct busbar_object *object, unsigned indent, FILE *out);
};

/* Function pointers made of an object: function.c. */
struct functions;

struct busbar_object {
    const struct object_class *class;
    atomic_uint references;
    _Atomic(char *) id; /* "" until an application gives it one; set once; in front of errors */
    struct fork_lock functions_lock;
    struct functions *functions; /* made so far */
};

/* For the kinds: makes what they have in common, and frees it at the end of their `destroy`. */
enum busbar_status object_init(struct busbar_object *object, const struct object_class *class);
void object_fini(struct busbar_object *object);

/* The id; where there is none, what its class calls it, or the kind: so errors call it. */
const char *object_name(const struct busbar_object *object);
/* Copies the id; false if the object has one already, or out of memory. */
bool object_set_id(struct busbar_object *object, const char *id);

enum busbar_status object_probe(struct busbar_object *object, uint32_t timeout_ms);
enum busbar_status object_describe(struct busbar_object *object, uint32_t timeout_ms,
                                   object_method_fn *each, void *context);

/*
 * From a file and from code alike an object is made from a struct of settings, by the table of its
 * kind. `create` takes what the struct owns and leaves zero, on failure too. `node` is the map of
 * the file, for the places of errors, or NULL.
 */
struct object_kind {
    const char *key; /* that names the kind in a file, as `library` does */
    const struct settings_table *table;
    enum busbar_status (*create)(struct busbar_object **ret, void *settings,
                                 const struct settings_node *node, struct settings_errors *errors);
};

/* kinds.c: the table; NULL past its end. Kinds that are named but not built in have no table. */
const struct object_kind *object_kind_at(size_t index);
const struct object_kind *object_kind_find(const char *key);

extern const struct object_kind library_kind; /* library_settings.c */
extern const struct object_kind command_kind; /* command_settings.c */
extern const struct object_kind proxy_kind;   /* proxy_settings.c */
extern const struct object_kind pool_kind;    /* pool_settings.c */

/* A method of a file's `functions:` map or of busbar_function; the settings of all kinds have a
 * list of them. functions_settings.c */
struct function_settings {
    char *name;
    char *symbol;
    char *signature;
    char *text;
    bool idempotent;
    struct text_settings *arguments;
    size_t argument_count;
    void *address; /* by code alone */
};
struct text_settings {
    char *text;
};
extern const struct settings_table library_function_table; /* signature symbol idempotent text */
extern const struct settings_table command_function_table; /* signature arguments idempotent text */
extern const struct settings_table proxy_function_table;   /* signature idempotent text */
extern const struct settings_table text_table;             /* a list of strings */

/* Copies what code gave; false when out of memory, and then what was copied can be freed. Some of it
 * may be for other kinds: function_settings_trim frees what the table of this one has no row for. */
bool function_settings_copy(struct function_settings **ret, size_t *ret_count,
                            const struct busbar_function *functions, size_t count);
void function_settings_trim(struct function_settings *functions, size_t count,
                            const struct settings_table *table);
bool text_settings_copy(struct text_settings **ret, size_t *ret_count, const char *const *texts);

/*
 * Checks name and signature of each and parses the signatures: `ret` receives an array for free();
 * where no signature is given, an empty one without text. `node` is the map of the file that has the
 * key `functions`, or NULL. BAD_CONFIG with all errors.
 */
enum busbar_status function_settings_check(struct signature **ret,
                                           const struct function_settings *functions, size_t count,
                                           const struct settings_node *node,
                                           struct settings_errors *errors);

/* Where a key of a function stands; else where the function does; else all functions. NULL for code. */
const struct settings_node *function_settings_node(const struct settings_node *node,
                                                   const char *name, const char *key);

/* For the constructors in code: the errors become this thread's outcome, one per line, and are
 * freed. Returns the status. */
enum busbar_status object_errors_told(enum busbar_status status, struct settings_errors *errors);

#endif
