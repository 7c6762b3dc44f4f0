/* A lock that the child of a fork can take, although a thread that it does not have may hold it. */
#ifndef OBJECTS_FORK_LOCK_H
#define OBJECTS_FORK_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * What it protects must be of use at any moment of a change, since the fork may have come in the
 * middle of one. Asks for the pid each time, so it is for what is rare.
 */
struct fork_lock {
    pthread_mutex_t mutex;
    atomic_int pid; /* whose threads use the mutex; 0 while the child of a fork makes it anew */
};

bool fork_lock_init(struct fork_lock *lock);
void fork_lock_fini(struct fork_lock *lock);
void fork_lock_take(struct fork_lock *lock);
void fork_lock_give(struct fork_lock *lock);

#endif
