/* The systems that are measured: how the server of each is started, and where it listens. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bench/load.h"

enum {
    DIRECTORY_SIZE = 80,
};

struct system;

struct server {
    const struct system *system;
    const struct load *load;
    struct load_place *place; /* in memory shared with children */
    pid_t pid;                /* 0: not ours */
    pid_t companion;
    char directory[DIRECTORY_SIZE]; /* for its files, sockets among them: not too long a name */
};

/* NULL, with the reason on stderr, if it is unknown or cannot be run here. */
const struct system *system_find(const char *name);
/* Prints those that can be run, and on stderr the others with the reason. */
void system_list(void);

/* Starts it and waits until it listens: by `transport`, "tcp" or "ipc". `ready` is for
 * servers that are a loop of ours: they call it. */
void server_start(struct server *server, const char *transport, void (*ready)(void));
/* Is its server a loop of ours, not a program? */
bool server_runs_here(const struct server *server);
/* Takes one that runs already. */
void server_take(struct server *server, const char *endpoint);
void server_end(struct server *server);

#endif
