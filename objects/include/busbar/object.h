/* Objects: whatever can be called by method name, in this process or anywhere on the bus. */
#ifndef BUSBAR_OBJECT_H
#define BUSBAR_OBJECT_H

#include <busbar/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An object has methods that take values and give one. Its kind says what is behind it: functions
 * of a shared library, a program, a service on the bus, several objects in turn. Who calls it
 * cannot tell, which is the point.
 *
 * Thread rules: every function here may be called from any thread at any time, and so may function
 * pointers made by busbar_function. Only the last reference to an object must not be destroyed
 * while it is in use.
 * Ownership: as in <busbar/client.h>. Objects are counted: busbar_object_ref adds a reference,
 * busbar_object_destroy ends one.
 * Errors: each function returns a status; status, fate and text of this thread's last call are in
 * busbar_last_status(), busbar_last_fate() and busbar_last_error(). A call that failed leaves its
 * result NULL.
 * After a fork, proxies of the parent return FORKED in the child; libraries and commands go on.
 */
struct busbar_object;

/* The outcome of the last function of this header that this thread called; OK before the first. */
enum busbar_status busbar_last_status(void);
enum busbar_fate busbar_last_fate(void);
/* For people, naming object, method and endpoint; "" for OK. Borrowed until the next such call of
 * this thread. Of a configuration: all its errors, one per line. */
const char *busbar_last_error(void);

struct busbar_object *busbar_object_ref(struct busbar_object *object);
void busbar_object_destroy(struct busbar_object **object);

/* "library", "command", "proxy", "pool", or the name of a class of your own. Static. */
const char *busbar_object_kind(const struct busbar_object *object);

/* Calling ------------------------------------------------------------------------------------- */

struct busbar_object_call {
    const char *method;
    const struct busbar_value *arguments; /* a LIST; NULL for none; borrowed */
    uint32_t timeout_ms;                  /* 0: the object's own */
    bool (*cancelled)(void *context);     /* asked every few milliseconds on this thread: is the
                                             result still wanted? NULL: always */
    /* Takes a result that is bytes as they come, on this thread; what is left is the result then.
     * False: no more is wanted, the call is to end as CANCELLED. May wait. NULL: the result comes as
     * one. Commands and objects of the application's own may use it; others do not. */
    bool (*part)(void *context, const void *data, size_t size);
    void *context;
    void *reserved[4];
};

/*
 * Calls a method with values. Arguments that do not fit the method's signature are BAD_REQUEST, not
 * executed, with a text that names the signature; the function is not entered. `ret` may be NULL.
 */
enum busbar_status busbar_object_call(struct busbar_object *object,
                                      const struct busbar_object_call *call,
                                      struct busbar_value **ret)
    __attribute__((warn_unused_result));

/*
 * The same from C values: `types` are letters as in a signature (below) without '>', one for each
 * argument that follows, which has the C type of that letter. `ret` may be NULL.
 *   busbar_call(object, "get_data", &result, "sd", "Hello", 2.0)
 * As with printf the letters are believed: a `d` wants 2.0, and not 2.
 */
enum busbar_status busbar_call(struct busbar_object *object, const char *method,
                               struct busbar_value **ret, const char *types, ...);

/*
 * Signatures
 *
 * A signature is the letters of the arguments, '>', and the letter of the result, if there is one:
 * "sd>s", ">s", "s>". At most 16 arguments and results. The C type of each:
 *   b  bool            i  int32_t   u  uint32_t   l  int64_t (long)   d  double   f  float
 *   s  const char *, UTF-8: borrowed; a result is copied before the next call
 *   S  char *: as a result it is given to free(), as an argument the callee frees it
 *   y  const void *, size_t       bytes; as a result `const void *` with a last argument `size_t *`
 *   y4 const void *, uint32_t     the same with a 32-bit size, `uint32_t *`
 *   Y, Y4  void *: as y and y4, for free()
 *   as const char *const *        strings, ended by NULL
 *   AS char **                    the same; array and strings are for free()
 *   v  const struct busbar_value *; a result is struct busbar_value *, for busbar_value_destroy
 * After s, S, y, Y, y4, Y4, as and AS, a '?' allows NULL as an argument, which is null on the bus;
 * otherwise NULL is BAD_REQUEST. A result may always be NULL, and is null then.
 * After '>' letters with '*' before them are results through pointers, for which the function has
 * further arguments, after all others, the size of a `y` included: "d>d*i" is
 * `double frexp(double, int *)`, "s>y*i" is `const void *read(const char *, size_t *, int *)`. With
 * several results the value of the call is the list of them. '*' goes with b i u l d f s S.
 * Without a result the function returns void, and the value of the call is null.
 *
 * Values that do not fit are refused alike wherever the object is: an integer out of range, a
 * string that is not UTF-8 or, for s, S, as and AS, has a NUL inside. A double or float takes an
 * integer that it can hold exactly, a float every finite double of at most FLT_MAX, which it rounds.
 * Bytes take a STRING as well, since JSON has no other. NaN and infinities are values as others are.
 * A function whose result is not UTF-8 has run: APP_ERROR, executed.
 */

/*
 * A C function pointer of the method's own type, which calls the method: direct for a library,
 * over the bus for a proxy. It lives as long as the object. NULL on failure. The signature is what
 * the object says of the method; a proxy without `functions` asks the broker for it, so that must
 * be reachable then.
 *   char *(*get_data)(const char *) = busbar_function(object, "get_data");
 *
 * For a NULL object the error stays that of whoever failed to give one, as busbar_app_object does.
 * The outcome of each call is in busbar_last_status(); a call that failed returns 0, NULL or NaN.
 * Results, local or remote alike: `s`, `y`, `y4` and `as` live until this thread's next call
 * through the same function pointer, or the end of the thread or the object; `S`, `Y`, `Y4` and
 * `AS` are for free(), `v` for busbar_value_destroy(). A NULL where a result or its size should be
 * written to is BAD_REQUEST.
 */
void *busbar_function(struct busbar_object *object, const char *method);

/* The same with the signature that the caller expects; BAD_REQUEST if the object knows it to be
 * another. Never asks the bus. */
void *busbar_function_as(struct busbar_object *object, const char *method, const char *signature);

/*
 * What an object says of its methods: a LIST of MAPs with the keys `name`, `signature`,
 * `idempotent`, `text`, the last three only if known. A proxy without `functions` asks the bus.
 */
enum busbar_status busbar_object_describe(struct busbar_object *object, struct busbar_value **ret)
    __attribute__((warn_unused_result));

/* Kinds --------------------------------------------------------------------------------------- */

/* A method as it is declared for any kind. Everything is copied. */
struct busbar_function {
    const char *name; /* on the bus: [A-Za-z0-9_]{1,127} */
    const char *signature;
    const char *symbol;           /* library: the C name; default: `name` */
    void *address;                /* library: the function itself, instead of a symbol */
    const char *const *arguments; /* command: further words after its own, NULL-terminated */
    const char *text;             /* one line for people */
    unsigned flags;               /* enum busbar_method_flags */
    void *reserved[2];
};

/*
 * Functions of a shared library. All symbols are found now or it is BAD_CONFIG. `path` as for
 * dlopen(3); NULL for the program itself, or if all functions have addresses. The functions are
 * called on the thread of the caller, so they must bear what callers do at once.
 */
struct busbar_library_options {
    const char *path;
    const struct busbar_function *functions;
    size_t function_count;
    void *reserved[4];
};
enum busbar_status busbar_library_new(struct busbar_object **ret,
                                      const struct busbar_library_options *options)
    __attribute__((warn_unused_result));

/*
 * A program, run once for each call: the argument is its stdin, its stdout the result. Without
 * `functions` it has one method, "run", of signature "y>y". A method takes nothing or one `y` or
 * `s`, and gives nothing or one `y` or `s`; of an `s` the newline at its end is left out. An exit
 * code other than 0 is APP_ERROR with the end of its stderr. It runs in a process group that is
 * killed when the call is cancelled or its time is over, and when the program itself has ended.
 * In a process that ignores SIGCHLD, or takes the ends of children that are not its own, it is not
 * known how a program ended: APP_ERROR, maybe executed.
 */
struct busbar_command_options {
    const char *const *words;       /* program and arguments, NULL-terminated; needed */
    const char *const *environment; /* name, value, …, NULL: over the one of this process, as that
                                       is when a call is made */
    const char *directory;          /* to run in; default: the one of this process */
    uint32_t timeout_ms;            /* of one run, whatever the deadline of the call; 0: none */
    uint32_t concurrency;           /* at once, others wait for their turn, at their deadline they
                                       are EXPIRED; 0: as many as called */
    uint64_t output_limit;          /* bytes of stdout, beyond: RESULT_TOO_LARGE; default 16 MiB */
    const struct busbar_function *functions;
    size_t function_count;
    void *reserved[4];
};
enum busbar_status busbar_command_new(struct busbar_object **ret,
                                      const struct busbar_command_options *options)
    __attribute__((warn_unused_result));

/*
 * A service on the bus. Nothing is connected before the first call, and each thread that calls at
 * the same time as others has a connection of its own, kept for later calls.
 */
struct busbar_proxy_options {
    const char *service;        /* needed */
    const char *const *brokers; /* endpoints, tried in order, NULL-terminated; default: those of the
                                   application it is added to, else $BUSBAR_BROKER, else
                                   BUSBAR_DEFAULT_BROKER */
    uint32_t timeout_ms;        /* deadline of a call; default 5000 */
    uint32_t retries;           /* further attempts after a loss of broker or worker, if nothing was
                                   executed or the method is idempotent; default 0 */
    const char *const *idempotent; /* methods, besides those whose description says so; "*": all */
    const struct busbar_function *functions; /* known signatures; else the bus is asked */
    size_t function_count;
    void *reserved[4];
};
enum busbar_status busbar_proxy_new(struct busbar_object **ret,
                                    const struct busbar_proxy_options *options)
    __attribute__((warn_unused_result));

/*
 * Several objects as one: each call goes to the next member, beginning with the first. A member that
 * fails in transport (BROKER_LOST, NO_SERVICE, NO_MEMBERS, DRAINING, or a TIMEOUT of a call that never
 * left) is set aside and probed from time to time until it can be reached again. After such a failure,
 * and after BUSY, NO_METHOD, FORKED and WORKER_LOST, which set nobody aside, the call goes on to the
 * next member, unless it may have been executed and the method is not idempotent. Everything else is
 * the outcome of the call, errors of the application among it. A call tries each member at most
 * once, within its deadline, and what one member may have executed stays in the fate.
 *
 * If no member is left the outcome is what one that was reached said; NO_MEMBERS if none was, or
 * there is none at all. A call that finds all others tried or aside tries one of those aside: the
 * one whose last failure is longest ago, if that is `probe_ms` or more, and nobody else tries it at
 * the moment. So without a member that can be reached most calls fail at once, and a member that
 * comes back is found by a probe or by a call, whichever is first. A proxy that has become a member
 * waits for a broker that is not there at most 250 ms, and not 800, since others can be asked.
 */
struct busbar_pool_options {
    struct busbar_object *const *members; /* references of their own are taken */
    size_t member_count;
    uint32_t probe_ms; /* from the failure of a member to its first probe, doubled up to 16 times
                          this until a call is executed there, less up to a quarter; default 250 */
    const char *const *idempotent; /* methods, besides those the members say; "*": all */
    void *reserved[4];
};
enum busbar_status busbar_pool_new(struct busbar_object **ret,
                                   const struct busbar_pool_options *options)
    __attribute__((warn_unused_result));

/* From any thread, while calls go on. BAD_ARGUMENT for an object that is no pool, for a member that
 * is there already (add) or is not (remove), and for one through which the pool would reach itself.
 */
enum busbar_status busbar_pool_add(struct busbar_object *pool, struct busbar_object *member)
    __attribute__((warn_unused_result));
enum busbar_status busbar_pool_remove(struct busbar_object *pool, struct busbar_object *member)
    __attribute__((warn_unused_result));

struct busbar_pool_stats {
    uint32_t members;
    uint32_t aside;  /* of them, not called at present */
    uint64_t moved;  /* calls that went on to another member */
    uint64_t probes; /* made so far */
};
enum busbar_status busbar_pool_stats(struct busbar_object *pool, struct busbar_pool_stats *ret);

/*
 * A kind of your own. `call` runs on the thread of the caller, on many at once; it returns a status,
 * after busbar_fail() if there is more to say. `describe` returns a list as
 * busbar_object_describe does, or NULL; the member may be NULL, and so may `destroy`.
 */
struct busbar_object_class {
    const char *kind;
    enum busbar_status (*call)(void *context, const struct busbar_object_call *call,
                               struct busbar_value **ret);
    struct busbar_value *(*describe)(void *context);
    void (*destroy)(void *context);
    void *reserved[4];
};
/* The class is borrowed for as long as the object lives; the context is taken. */
enum busbar_status busbar_object_new(struct busbar_object **ret,
                                     const struct busbar_object_class *class_of, void *context)
    __attribute__((warn_unused_result));

/* Sets what busbar_last_status(), _fate() and _error() say on this thread; returns `status`. */
enum busbar_status busbar_fail(enum busbar_status status, enum busbar_fate fate, const char *format,
                               ...) __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
