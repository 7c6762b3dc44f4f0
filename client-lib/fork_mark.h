/* Tells a process from the child of its fork without a system call. */
#ifndef CLIENT_LIB_FORK_MARK_H
#define CLIENT_LIB_FORK_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The kernel empties the page in the child of a fork; where it cannot, the pid is asked for. */
struct fork_mark {
    const volatile unsigned char *page; /* NULL if there is none */
    pid_t maker;
};

void fork_mark_init(struct fork_mark *mark);
void fork_mark_fini(struct fork_mark *mark);

bool fork_mark_ask(const struct fork_mark *mark);

/* True in a child that was forked since the mark was made. */
static inline bool fork_mark_is_forked(const struct fork_mark *mark)
{
    return mark->page != NULL ? *mark->page == 0 : fork_mark_ask(mark);
}

#endif
