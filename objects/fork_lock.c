/* A mutex that is made anew in the child of a fork. */
#include "objects/fork_lock.h"

#include <sched.h>
#include <unistd.h>

bool fork_lock_init(struct fork_lock *lock)
{
    atomic_init(&lock->pid, getpid());
    return pthread_mutex_init(&lock->mutex, NULL) == 0;
}

void fork_lock_fini(struct fork_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

/* Of several threads of the child one makes the mutex, the others wait for that. */
void fork_lock_take(struct fork_lock *lock)
{
    int here = getpid();
    int former = atomic_load(&lock->pid);
    if (former != here) {
        if (former != 0 && atomic_compare_exchange_strong(&lock->pid, &former, 0)) {
            pthread_mutex_init(&lock->mutex, NULL);
            atomic_store(&lock->pid, here);
        }
        while (atomic_load(&lock->pid) != here)
            sched_yield();
    }
    pthread_mutex_lock(&lock->mutex);
}

void fork_lock_give(struct fork_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
