/* Everything the broker counts, in one table: what `bus stats` answers. */
#ifndef BROKER_COUNTERS_H
#define BROKER_COUNTERS_H

#include <stdint.h>

/* X(name, text). Every call received is counted once more under exactly one of the outcomes. */
#define COUNTER_TABLE(X)                                                                           \
    X(calls_received, "calls that clients sent, those to the bus itself not counted")              \
    X(outcome_ok, "calls that ended with a reply")                                                 \
    X(outcome_worker_error, "calls that ended with an error a worker sent")                        \
    X(outcome_no_service, "calls refused: nobody exports the service")                             \
    X(outcome_no_method, "calls refused: no worker offers the method")                             \
    X(outcome_bad_request, "calls refused: not well-formed")                                       \
    X(outcome_too_large, "calls refused: body over the limit")                                     \
    X(outcome_busy, "calls refused: a queue was full")                                             \
    X(outcome_draining, "calls refused: the broker is stopping")                                   \
    X(outcome_expired, "calls whose deadline passed before a worker had them")                     \
    X(outcome_timeout, "calls whose deadline passed while a worker had them")                      \
    X(outcome_cancelled, "calls cancelled by their client")                                        \
    X(outcome_abandoned, "calls whose client went away")                                           \
    X(outcome_oneway, "oneway calls accepted")                                                     \
    X(outcome_loop, "calls refused: they came through too many handlers")                          \
    X(outcome_stalled, "calls whose worker gave no sign of working on them")                       \
    X(outcome_broken, "calls whose worker sent what it must not")                                  \
    X(outcome_worker_lost, "calls lost with their worker")                                         \
    X(outcome_poisoned, "idempotent calls lost with as many workers as are tried")                 \
    X(oneway_done, "oneway calls that their worker answered with a reply")                         \
    X(oneway_failed, "oneway calls that ended otherwise")                                          \
    X(hopeless, "calls that expired in a queue with too little time left")                         \
    X(retries_spared, "repetitions not made, since there were too many")                           \
    X(waited, "calls that waited for somebody to serve them")                                      \
    X(parts, "parts of results passed on")                                                         \
    X(progress, "reports of progress passed on")                                                   \
    X(progress_dropped, "reports of progress not passed on, since much was due to the client")     \
    X(bus_calls, "calls to the bus itself")                                                        \
    X(dispatched, "calls given to a worker, repetitions included")                                 \
    X(queued, "calls that had to wait for a worker")                                               \
    X(redispatched, "idempotent calls given to another worker after a loss")                       \
    X(returned, "calls that a worker gave back unstarted")                                         \
    X(late_replies, "replies dropped because their call was over or never was")                    \
    X(registrations, "services registered")                                                        \
    X(registrations_refused, "services refused")                                                   \
    X(sessions_opened, "sessions opened")                                                          \
    X(sessions_ended, "sessions ended in order")                                                   \
    X(sessions_lost, "sessions whose connection broke")                                            \
    X(sessions_silent, "worker sessions ended for want of heartbeats")                             \
    X(sessions_cut, "sessions ended because too much was due to them")                             \
    X(connections_refused, "connections broken at once because there were too many")               \
    X(connections_cut,                                                                             \
      "connections broken because a message of theirs had no end, or too many frames")             \
    X(sessions_refused, "sessions refused because there were too many")                            \
    X(mmi_requests, "questions of Majordomo clients about services (MMI)")                         \
    X(disconnects, "Majordomo workers told to begin anew")                                         \
    X(resets, "packets refused because their peer has no session")                                 \
    X(heartbeats, "heartbeats received")                                                           \
    X(messages, "messages received")                                                               \
    X(malformed, "messages that were not understood")                                              \
    X(unknown_commands, "packets of a command that is not known here")                             \
    X(unreachable, "sends to a peer that was gone")                                                \
    X(blocked, "sends put off because libzmq's queue to the peer was full")

struct counters {
#define COUNTER_MEMBER(name, text) uint64_t name;
    COUNTER_TABLE(COUNTER_MEMBER)
#undef COUNTER_MEMBER
};

#endif
