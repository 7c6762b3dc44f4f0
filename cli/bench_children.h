/* The processes of a benchmark: started with pipes, listened to by lines, and ended without fail. */
#ifndef CLI_BENCH_CHILDREN_H
#define CLI_BENCH_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CHILD_LINE_SIZE = 1024,
};

enum child_role { CHILD_BROKER, CHILD_WORKER, CHILD_CLIENT };

struct bench_child {
    enum child_role role;
    pid_t pid;                  /* 0 once it was waited for */
    int input;                  /* writes to its stdin; -1 once closed */
    int output;                 /* reads its stdout, of a broker its stderr; -1 once it ended */
    char line[CHILD_LINE_SIZE]; /* what has come of the next line */
    size_t line_size;
    bool ready;
    bool done;
};

struct bench_children {
    struct bench_child *items;
    size_t count;
    size_t capacity;
    /* Told each line that a child printed. */
    void (*heard)(void *owner, struct bench_child *child, const char *line);
    void *owner;
};

bool children_init(struct bench_children *children, size_t capacity);

/* Starts a program; false with errno set. It dies with this process. */
bool children_start(struct bench_children *children, enum child_role role, const char *path,
                    char *const *argv);

/* Waits up to `timeout_ms` for output and tells of it; false if poll failed or was interrupted. */
bool children_listen(struct bench_children *children, int timeout_ms);

/* Ends all: first those that use the broker, in order, then the broker. */
void children_end(struct bench_children *children);

/* CPU time a process has used, in ns, over all its threads; 0 if it cannot be told. */
uint64_t process_cpu_ns(pid_t pid);

#endif
