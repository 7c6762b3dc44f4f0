/* What the files of the pool share: its members, who of them is set aside, and what calls remember. */
#ifndef OBJECTS_POOL_INTERNAL_H
#define OBJECTS_POOL_INTERNAL_H

#include "objects/object.h"

#include "client-lib/fork_mark.h"
#include "objects/pool.h"

enum {
    POOL_REASON_SIZE = 256,
    POOL_BACKOFF_MAX = 4, /* doublings of the time between probes */
    POOL_PROBE_TIMEOUT_MS = 1000,
    POOL_DESCRIBE_TIMEOUT_MS = 5000,
    POOL_PATH_MAX = 64, /* objects on the way from a pool to one it could reach itself through */
    POOL_WALK_MAX = 1 << 16, /* objects looked at for that */
};

struct pool_settings {
    struct text_settings *members; /* ids; of a file alone */
    size_t member_count;
    uint32_t probe_ms;
    struct text_settings *idempotent; /* methods, or "*" alone for all */
    size_t idempotent_count;
};
extern const struct settings_table pool_table;

/* What follows the first two members belongs to the pool's lock. */
struct pool_member {
    struct busbar_object *object; /* a reference */
    atomic_uint references;       /* of the pool, of calls and of the prober */
    bool pending;                 /* not called before it is known that nothing goes in circles */
    bool removed;
    bool aside;
    bool taken;         /* while it is aside: a probe or a call is finding out */
    unsigned failures;  /* in transport, since a call was last executed there */
    unsigned epoch;     /* how often it was set aside: what began earlier tells nothing new */
    uint64_t failed_at; /* ms, the last time */
    uint64_t probe_at;
    char reason[POOL_REASON_SIZE];
};

/* Replaced as a whole, so that the child of a fork finds one that is whole. */
struct pool_members {
    size_t count;
    struct pool_member *at[];
};

/* Methods that pool_find has told of: what it gave stays while the pool lives. */
struct pool_method {
    struct pool_method *next;
    struct object_method method;
    char text[];
};

enum pool_prober {
    PROBER_NONE,
    PROBER_RUNS,
    PROBER_ENDED, /* and is to be joined */
};

struct pool {
    struct busbar_object object;
    struct pool_settings settings;
    struct fork_mark mark;
    _Atomic(pid_t)
        process; /* that the lock and the prober belong to; negative while it takes over */
    atomic_uint_fast64_t moved;
    atomic_uint_fast64_t probes;

    pthread_mutex_t lock; /* of what follows; never held while a member is called */
    struct pool_hook hook;
    struct pool_members *members;
    size_t next; /* index of the member whose turn it is */
    struct pool_method *methods;

    pthread_cond_t changed; /* the prober waits for it */
    enum pool_prober prober;
    pthread_t thread;
    bool stopping;
};

/* NULL unless the object is a pool. */
struct pool *pool_of(struct busbar_object *object);

/* Without members; takes the settings, on failure too. */
enum busbar_status pool_new(struct busbar_object **ret, struct pool_settings *settings);

/* pool_members.c: who is a member, and in which state ---------------------------------------------- */

/* A member as a call or a probe took it. */
struct pool_pick {
    struct pool_member *member; /* a reference */
    unsigned epoch;
    bool doubtful; /* has failed since a call was last executed there */
    bool aside;
};

/* What a call has tried already, each with a reference. */
struct pool_tried {
    struct pool_member *few[8];
    struct pool_member **all; /* `few`, or memory of its own */
    size_t count;
    size_t capacity;
    bool aside; /* one that was set aside is among them */
};

bool pool_members_init(struct pool *pool);
void pool_members_fini(struct pool *pool);

/* In the child of a fork the lock is a new one, and there is no prober. */
void pool_lock(struct pool *pool);
void pool_unlock(struct pool *pool);
/* Is this the process that made the pool's threads? */
bool pool_is_at_home(struct pool *pool);

void pool_member_unref(struct pool_member **member);

void pool_tried_init(struct pool_tried *tried);
void pool_tried_fini(struct pool_tried *tried);

/* The next member for a call, none twice; false if there is none. Takes the reference of `ret` over
 * into `tried`. */
bool pool_pick(struct pool *pool, struct pool_tried *tried, struct pool_pick *ret);

/* How a call or probe of a member went. `reason` is the text of a failure in transport, else NULL;
 * `executed`: the member itself answered. */
void pool_settle(struct pool *pool, const struct pool_pick *pick, bool executed,
                 const char *reason);
void pool_settle_probe(struct pool *pool, const struct pool_pick *pick, const char *reason);

/* Objects of all members, those that are not aside first; each with a reference. NULL when out of
 * memory; for free(). */
struct busbar_object **pool_objects(struct pool *pool, size_t *ret_count);
void pool_objects_free(struct busbar_object ***objects, size_t count);

struct busbar_object *pool_member_at(struct busbar_object *object, size_t index);

/* pool_call.c --------------------------------------------------------------------------------------- */

enum busbar_status pool_call(struct busbar_object *object, const struct busbar_object_call *call,
                             struct busbar_value **ret);

/* The outcome of the thread becomes NO_MEMBERS, with a text that says of each member why. */
enum busbar_status pool_fail_no_members(struct pool *pool, enum busbar_fate fate);

/* The outcome of this thread in short, for `reason`. */
const char *pool_reason(char out[POOL_REASON_SIZE], const struct pool_member *member);

/* pool_methods.c: what members say of their methods ------------------------------------------------- */

bool pool_is_idempotent(struct pool *pool, const char *method);
bool pool_find(struct busbar_object *object, const char *method, struct object_method *ret);
enum busbar_status pool_describe(struct busbar_object *object, uint32_t timeout_ms,
                                 object_method_fn *each, void *context);

/* pool_probe.c: the thread that brings members back ------------------------------------------------- */

/* With the lock held: a member was set aside, there has to be a prober. */
void pool_probe_start(struct pool *pool);
/* Ends the prober and waits for it: no longer than a probe may take. */
void pool_probe_stop(struct pool *pool);
/* When a member that has failed `failures` times is to be probed. */
uint64_t pool_probe_at(const struct pool *pool, unsigned failures, uint64_t now_ms);

enum busbar_status pool_probe(struct busbar_object *object, uint32_t timeout_ms);

#endif
