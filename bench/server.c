/* Starting and ending the servers: the table of systems, and nothing of what they speak. */
#include "bench/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/process.h"

enum {
    WORDS_MAX = 24,
    WORD_SIZE = LOAD_ENDPOINT_SIZE,
    START_STEP_MS = 20,
    START_STEPS = 3000,
    PORTS = 3,
};

/* In all texts {port}, {port2}, {port3}, {dir} and {build} stand for what was chosen. */
struct system {
    const char *name;
    const struct load *load;
    const char *tcp;
    const char *ipc; /* NULL: there is none */
    const char *argv[WORDS_MAX];
    const char *environment[WORDS_MAX];
    const char *companion[WORDS_MAX]; /* a program that has to run beside it, for as long */
    server_run_fn *run;               /* the server, where it is no program */
};

#define BUSBARD                                                                                    \
    {                                                                                              \
        "{build}/busbard", "--bind", "tcp://127.0.0.1:{port}", "--bind", "ipc://{dir}/socket"      \
    }

static const struct system systems[] = {
    {.name = "zmq_proxy",
     .load = &load_zmq,
     .tcp = "tcp://127.0.0.1:*",
     .ipc = "ipc://{dir}/socket",
     .run = zmq_proxy_run},
    {.name = "busbar",
     .load = &load_busbar,
     .tcp = "tcp://127.0.0.1:{port}",
     .ipc = "ipc://{dir}/socket",
     .argv = BUSBARD},
    {.name = "majordomo",
     .load = &load_majordomo,
     .tcp = "tcp://127.0.0.1:{port}",
     .ipc = "ipc://{dir}/socket",
     .argv = BUSBARD},
    {.name = "majordomo_lean",
     .load = &load_majordomo_lean,
     .tcp = "tcp://127.0.0.1:{port}",
     .ipc = "ipc://{dir}/socket",
     .argv = BUSBARD},
    {.name = "majordomo_plain_lean",
     .load = &load_majordomo_lean,
     .tcp = "tcp://127.0.0.1:*",
     .ipc = "ipc://{dir}/socket",
     .run = majordomo_plain_run},
    {.name = "majordomo_plain",
     .load = &load_majordomo,
     .tcp = "tcp://127.0.0.1:*",
     .ipc = "ipc://{dir}/socket",
     .run = majordomo_plain_run},
    {.name = "nats",
     .load = &load_nats,
     .tcp = "nats://127.0.0.1:{port}",
     .argv = {"nats-server", "-a", "127.0.0.1", "-p", "{port}"}},
    {.name = "gearman",
     .load = &load_gearman,
     .tcp = "127.0.0.1:{port}",
     .argv = {"gearmand", "--listen=127.0.0.1", "--port={port}", "--log-file=stderr"}},
    {.name = "rabbitmq",
     .load = &load_rabbitmq,
     .tcp = "127.0.0.1:{port}",
     .argv = {"/usr/lib/rabbitmq/bin/rabbitmq-server"},
     .environment = {"RUNNING_UNDER_SYSTEMD=1", /* the process is the server, not its shell */
                     "RABBITMQ_NODENAME=bench{port}@localhost",
                     "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT={port}",
                     "RABBITMQ_DIST_PORT={port2}", "ERL_EPMD_PORT={port3}",
                     "ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_MNESIA_BASE={dir}",
                     "RABBITMQ_LOG_BASE={dir}", "RABBITMQ_ENABLED_PLUGINS_FILE={dir}/plugins",
                     "RABBITMQ_CONF_ENV_FILE={dir}/environment", "HOME={dir}"},
     .companion = {"epmd", "-port", "{port3}", "-address", "127.0.0.1"}},
    {.name = "redis",
     .load = &load_redis,
     .tcp = "127.0.0.1:{port}",
     .ipc = "{dir}/socket",
     .argv = {"redis-server", "--bind", "127.0.0.1", "--port", "{port}", "--unixsocket",
              "{dir}/socket", "--save", "", "--dir", "{dir}"}},
};

struct choice {
    char build[WORD_SIZE];
    const char *directory;
    char ports[PORTS][8];
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Kernel-chosen, and free again before its user binds it. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        load_die("a free port", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

static void choose(struct choice *choice, const char *directory)
{
    ssize_t size = readlink("/proc/self/exe", choice->build, sizeof choice->build - 1);
    choice->build[size > 0 ? size : 0] = '\0';
    for (int i = 0; i < 2; i++) { /* build/bench/load is in build/bench */
        char *slash = strrchr(choice->build, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    choice->directory = directory;
    for (size_t i = 0; i < PORTS; i++)
        snprintf(choice->ports[i], sizeof choice->ports[i], "%d", free_port());
}

static void expand(const char *text, const struct choice *choice, char word[WORD_SIZE])
{
    const struct {
        const char *name;
        const char *value;
    } names[] = {
        {"{port}", choice->ports[0]}, {"{port2}", choice->ports[1]}, {"{port3}", choice->ports[2]},
        {"{dir}", choice->directory}, {"{build}", choice->build},
    };
    size_t used = 0;
    while (*text != '\0' && used < WORD_SIZE - 1) {
        size_t i = 0;
        while (i < sizeof names / sizeof names[0] &&
               strncmp(text, names[i].name, strlen(names[i].name)) != 0)
            i++;
        if (i == sizeof names / sizeof names[0]) {
            word[used++] = *text++;
            continue;
        }
        used += (size_t)snprintf(word + used, WORD_SIZE - used, "%s", names[i].value);
        text += strlen(names[i].name);
    }
    word[used < WORD_SIZE ? used : WORD_SIZE - 1] = '\0';
}

/* The words of a row, expanded. */
struct words {
    char *at[WORDS_MAX + 1]; /* NULL after the last */
    char texts[WORDS_MAX][WORD_SIZE];
};

static char **expand_all(struct words *words, const char *const texts[WORDS_MAX],
                         const struct choice *choice)
{
    size_t count = 0;
    for (; count < WORDS_MAX && texts[count] != NULL; count++) {
        words->at[count] = words->texts[count];
        expand(texts[count], choice, words->texts[count]);
    }
    words->at[count] = NULL;
    return words->at;
}

static bool can_connect(const char *port, const char *path)
{
    union {
        struct sockaddr any;
        struct sockaddr_in tcp;
        struct sockaddr_un ipc;
    } address = {.tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    address.tcp.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    socklen_t size = sizeof address.tcp;
    if (path != NULL) {
        size = sizeof address.ipc;
        address.ipc.sun_family = AF_UNIX;
        snprintf(address.ipc.sun_path, sizeof address.ipc.sun_path, "%.*s",
                 (int)sizeof address.ipc.sun_path - 1, path);
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, &address.any, size) == 0;
    close(fd);
    return ok;
}

static void start_program(struct server *server, const struct choice *choice, bool ipc)
{
    const struct system *system = server->system;
    char log[WORD_SIZE], path[WORD_SIZE];
    char *nothing[] = {NULL};
    struct words argv, environment;
    expand("{dir}/log", choice, log);
    expand("{dir}/socket", choice, path);
    if (system->companion[0] != NULL)
        server->companion = process_start(expand_all(&argv, system->companion, choice), nothing,
                                          log);
    server->pid = process_start(expand_all(&argv, system->argv, choice),
                                expand_all(&environment, system->environment, choice), log);
    for (int i = 0; i < START_STEPS; i++) {
        if (can_connect(choice->ports[0], ipc ? path : NULL))
            return;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            break;
        poll(NULL, 0, START_STEP_MS);
    }
    load_die(system->name, "its server did not start");
}

static bool is_program(const char *name)
{
    char path[PATH_MAX];
    const char *directories = getenv("PATH");
    if (name[0] == '{' || name[0] == '/')
        return name[0] == '{' || access(name, X_OK) == 0;
    while (directories != NULL && *directories != '\0') {
        size_t size = strcspn(directories, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)size, directories, name);
        if (access(path, X_OK) == 0)
            return true;
        directories += size + (directories[size] == ':');
    }
    return false;
}

/* NULL if it can be run here. */
static const char *lacks(const struct system *system)
{
    if (system->load == NULL)
        return "its library was missing when this was built";
    if (system->argv[0] != NULL && !is_program(system->argv[0]))
        return "its server is not installed";
    if (system->companion[0] != NULL && !is_program(system->companion[0]))
        return "a program that its server needs is not installed";
    return NULL;
}

const struct system *system_find(const char *name)
{
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        if (strcmp(systems[i].name, name) != 0)
            continue;
        const char *why = lacks(&systems[i]);
        if (why != NULL)
            fprintf(stderr, "load: %s: %s\n", name, why);
        return why == NULL ? &systems[i] : NULL;
    }
    fprintf(stderr, "load: there is no system '%s'\n", name);
    return NULL;
}

void system_list(void)
{
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        const char *why = lacks(&systems[i]);
        if (why == NULL)
            printf("%s\n", systems[i].name);
        else
            fprintf(stderr, "left out: %s: %s\n", systems[i].name, why);
    }
}

bool server_runs_here(const struct server *server)
{
    return server->system->run != NULL;
}

static void open_place(struct server *server)
{
    server->load = server->system->load;
    server->place = mmap(NULL, sizeof *server->place, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (server->place == MAP_FAILED)
        load_die("mmap", strerror(errno));
}

void server_start(struct server *server, const char *transport, void (*ready)(void))
{
    struct choice choice;
    bool ipc = strcmp(transport, "ipc") == 0;
    if (ipc && server->system->ipc == NULL)
        load_die(server->system->name, "it has no ipc");
    const char *parent = getenv("TMPDIR");
    snprintf(server->directory, sizeof server->directory, "%s/busbar-bench-XXXXXX",
             parent != NULL && strlen(parent) < DIRECTORY_SIZE - 24 ? parent : "/tmp");
    if (mkdtemp(server->directory) == NULL)
        load_die(server->directory, strerror(errno));
    open_place(server);
    choose(&choice, server->directory);
    expand(ipc ? server->system->ipc : server->system->tcp, &choice, server->place->endpoint);
    memcpy(server->place->back, server->place->endpoint, sizeof server->place->back);
    if (server->system->run == NULL) {
        start_program(server, &choice, ipc);
        return;
    }
    server->pid = process_fork();
    if (server->pid == 0)
        server->system->run(server->place, ready);
}

void server_take(struct server *server, const char *endpoint)
{
    open_place(server);
    snprintf(server->place->endpoint, sizeof server->place->endpoint, "%s", endpoint);
    memcpy(server->place->back, server->place->endpoint, sizeof server->place->back);
}

void server_end(struct server *server)
{
    process_end(server->pid);
    process_end(server->companion);
    server->pid = server->companion = 0;
    if (server->directory[0] != '\0')
        nftw(server->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    server->directory[0] = '\0';
}
