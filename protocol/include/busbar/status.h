/* The one table of outcomes: the same codes in the API, on the wire and as classes of exit codes. */
#ifndef BUSBAR_STATUS_H
#define BUSBAR_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(code, NAME, text): `code` is what travels in the status byte of an ERROR packet
 * (docs/protocol.md, "Statuses"), `text` is a short explanation for people.
 * Codes are never reused; 64 and up are local to a library or program and never travel.
 */
#define BUSBAR_STATUS_TABLE(X)                                                                     \
    X(0, OK, "success")                                                                            \
    X(1, APP_ERROR, "the handler reported an error")                                               \
    X(2, BAD_REQUEST, "the request is not well-formed")                                            \
    X(3, NO_SERVICE, "nobody exports a service of this name")                                      \
    X(4, NO_METHOD, "no worker of the service offers this method")                                 \
    X(5, NO_MEMBERS, "no member of the pool can be reached")                                       \
    X(6, BUSY, "a queue is full; try again later")                                                 \
    X(7, EXPIRED, "the deadline passed before the call was given to a worker")                     \
    X(8, TIMEOUT, "the deadline passed before a reply came")                                       \
    X(9, CANCELLED, "the call was cancelled")                                                      \
    X(10, WORKER_LOST, "the worker was lost while it had the call")                                \
    X(11, POISONED, "the call was lost with several workers and is not tried again")               \
    X(12, BROKER_LOST, "the broker cannot be reached or was lost")                                 \
    X(13, DENIED, "not allowed")                                                                   \
    X(14, TOO_LARGE, "the request is over the size limit")                                         \
    X(15, RESULT_TOO_LARGE, "the result is over the size limit")                                   \
    X(16, DRAINING, "the peer is shutting down and takes no new work")                             \
    X(17, UNSUPPORTED, "the peer does not know this version, command or flag")                     \
    X(18, CONFLICT, "the name is already taken")                                                   \
    X(19, LOOP, "the call came through too many handlers one after the other")                     \
    X(64, FORKED, "the handle was made before a fork and is unusable here")                        \
    X(65, NO_MEMORY, "out of memory")                                                              \
    X(66, BAD_ARGUMENT, "the library was called with a wrong argument")                            \
    X(67, BAD_CONFIG, "the configuration has an error")                                            \
    X(68, SYSTEM, "the operating system reported an error")                                        \
    X(69, NOTHING, "nothing to report within the time given")

enum busbar_status {
#define BUSBAR_STATUS_ENUM(code, name, text) BUSBAR_##name = (code),
    BUSBAR_STATUS_TABLE(BUSBAR_STATUS_ENUM)
#undef BUSBAR_STATUS_ENUM
};

/* What is known of a call's execution; a field of its own because one status can have either. */
enum busbar_fate {
    BUSBAR_NOT_EXECUTED = 0,   /* the handler was not entered: repeating the call is safe */
    BUSBAR_MAYBE_EXECUTED = 1, /* it was handed to a worker and nobody knows what became of it */
    BUSBAR_EXECUTED = 2,       /* the handler ran to its end */
};

/* The name of a status without its prefix ("NO_SERVICE"); "UNKNOWN" for a code not in the table. */
const char *busbar_status_name(enum busbar_status status);

/* A short explanation of a status for people; never NULL. */
const char *busbar_status_text(enum busbar_status status);

/* "not executed", "maybe executed" or "executed"; "unknown" for anything else. */
const char *busbar_fate_name(enum busbar_fate fate);

#ifdef __cplusplus
}
#endif

#endif
