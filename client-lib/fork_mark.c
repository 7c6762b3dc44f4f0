/* Tells a process from the child of its fork without a system call. */
#include "client-lib/fork_mark.h"

#include <sys/mman.h>
#include <unistd.h>

void fork_mark_init(struct fork_mark *mark)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    *mark = (struct fork_mark){.maker = getpid()};
    unsigned char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                               0);
    if (page == MAP_FAILED)
        return;
    if (madvise(page, size, MADV_WIPEONFORK) != 0) {
        munmap(page, size);
        return;
    }
    *page = 1;
    mark->page = page;
}

void fork_mark_fini(struct fork_mark *mark)
{
    if (mark->page != NULL)
        munmap((void *)mark->page, (size_t)sysconf(_SC_PAGESIZE));
    mark->page = NULL;
}

bool fork_mark_ask(const struct fork_mark *mark)
{
    return mark->maker != getpid();
}
