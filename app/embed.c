/* A broker inside the process: where its library comes from, and the thread it runs on. */
#include "app/embed.h"

#include <busbar/broker.h>
#include <busbar/object.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/log.h"
#include "base/cleanup.h"
#include "protocol/endpoint.h"
#include "worker-lib/thread.h"

#define LIBRARY "libbusbar-broker.so.0"

enum {
    REASON_SIZE = 512, /* of one try, or of what the broker says */
};

/* The library's functions, wherever they come from. */
struct broker_library {
    __typeof__(busbar_broker_new) *create;
    __typeof__(busbar_broker_endpoint) *endpoint;
    __typeof__(busbar_broker_run) *run;
    __typeof__(busbar_broker_stop) *stop;
    __typeof__(busbar_broker_destroy) *destroy;
};

/* NULL unless the program is linked with the library. */
#pragma weak busbar_broker_new
#pragma weak busbar_broker_endpoint
#pragma weak busbar_broker_run
#pragma weak busbar_broker_stop
#pragma weak busbar_broker_destroy

struct embed {
    struct broker_library library;
    struct busbar_broker *broker;
    struct app_log *log;
    pthread_t thread;
    pid_t pid; /* the child of a fork has the broker, but not its thread */
};

/* Finding the library -------------------------------------------------------------------------- */

static bool library_is_linked(struct broker_library *library)
{
    *library = (struct broker_library){busbar_broker_new, busbar_broker_endpoint, busbar_broker_run,
                                       busbar_broker_stop, busbar_broker_destroy};
    return library->create != NULL && library->endpoint != NULL && library->run != NULL &&
           library->stop != NULL && library->destroy != NULL;
}

/* The directory of the file that this code is in; false if it cannot be known. */
static bool own_directory(char path[PATH_MAX])
{
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1((void *)(uintptr_t)embed_check, &info, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return false;
    /* Of the program itself the loader knows only how it was called. */
    if (map != NULL && map->l_name[0] != '\0') {
        if (realpath(map->l_name, path) == NULL)
            return false;
    } else {
        ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);
        path[size > 0 ? size : 0] = '\0';
    }
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    return slash != NULL;
}

static void *open_at(const char *path, char reason[REASON_SIZE])
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        snprintf(reason, REASON_SIZE, "%s", dlerror());
    return handle;
}

/* Opened once and never closed: its threads' code must not go away. */
static void *library_open(char reason[2 * REASON_SIZE + PATH_MAX])
{
    char directory[PATH_MAX];
    char beside[PATH_MAX + sizeof LIBRARY];
    char first[REASON_SIZE] = "the directory of this program is not known";
    char second[REASON_SIZE];
    void *handle = NULL;
    if (own_directory(directory)) {
        snprintf(beside, sizeof beside, "%s/%s", directory, LIBRARY);
        handle = open_at(beside, first);
    }
    if (handle == NULL)
        handle = open_at(LIBRARY, second);
    if (handle == NULL)
        snprintf(reason, 2 * REASON_SIZE + PATH_MAX, "%s; and by its name alone: %s", first,
                 second);
    return handle;
}

static bool library_symbol(void *handle, const char *name, void *function)
{
    void *found = dlsym(handle, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static enum busbar_status library_find(struct broker_library *library, const char *endpoint)
{
    char reason[2 * REASON_SIZE + PATH_MAX];
    if (library_is_linked(library))
        return BUSBAR_OK;
    void *handle = library_open(reason);
    if (handle == NULL) {
        busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED,
                    "cannot embed a broker at %s, " LIBRARY " cannot be opened: %s", endpoint,
                    reason);
        return BUSBAR_SYSTEM;
    }
    if (library_symbol(handle, "busbar_broker_new", &library->create) &&
        library_symbol(handle, "busbar_broker_endpoint", &library->endpoint) &&
        library_symbol(handle, "busbar_broker_run", &library->run) &&
        library_symbol(handle, "busbar_broker_stop", &library->stop) &&
        library_symbol(handle, "busbar_broker_destroy", &library->destroy))
        return BUSBAR_OK;
    busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED,
                "cannot embed a broker at %s: " LIBRARY " is of another version: %s", endpoint,
                dlerror());
    return BUSBAR_SYSTEM;
}

/* The broker ----------------------------------------------------------------------------------- */

const char *embed_check(const char *endpoint)
{
    if (strncmp(endpoint, "inproc:", strlen("inproc:")) == 0)
        return "tcp://HOST:PORT or ipc://PATH, since inproc reaches nobody but the broker itself";
    if (strncmp(endpoint, "tcp://", strlen("tcp://")) != 0 &&
        strncmp(endpoint, "ipc://", strlen("ipc://")) != 0)
        return "tcp://HOST:PORT (port * takes a free one) or ipc://PATH";
    return endpoint_expected(endpoint);
}

static void on_event(void *context, const char *level, const char *event, const char *fields)
{
    app_log(context, app_level_of(level), APP_BROKER, "%s %s", event, fields);
}

static void *embed_run(void *argument)
{
    const struct embed *embed = argument;
    enum busbar_status status = embed->library.run(embed->broker);
    if (status != BUSBAR_OK)
        app_log(embed->log, APP_ERROR, APP_BROKER, "the embedded broker ended: %s",
                busbar_status_text(status));
    return NULL;
}

static enum busbar_status embed_open(struct embed *embed, const struct embed_place *place)
{
    char reason[REASON_SIZE] = "";
    const char *endpoint = place->endpoint;
    const struct busbar_broker_options options = {
        .endpoint = endpoint,
        .allow_plaintext = place->allow_plaintext,
        .log = on_event,
        .context = embed->log,
    };
    enum busbar_status status = library_find(&embed->library, endpoint);
    if (status != BUSBAR_OK)
        return status;
    status = embed->library.create(&embed->broker, &options, reason, sizeof reason);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "cannot embed a broker at %s: %s", endpoint,
                           reason[0] != '\0' ? reason : busbar_status_text(status));
    if (!thread_start(&embed->thread, embed_run, embed)) {
        embed->library.destroy(&embed->broker);
        return busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED,
                           "cannot embed a broker at %s: no thread can be started", endpoint);
    }
    app_log(embed->log, APP_DEBUG, APP_BROKER, "the thread of the broker at %s is started",
            embed_endpoint(embed));
    return BUSBAR_OK;
}

/* With all signals blocked: libzmq's threads block them too, but only once they run. */
static enum busbar_status embed_open_quietly(struct embed *embed, const struct embed_place *place)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum busbar_status status = embed_open(embed, place);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum busbar_status embed_start(struct embed **ret, const struct embed_place *place,
                               struct app_log *log)
{
    const char *expected = embed_check(place->endpoint);
    if (expected != NULL)
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "cannot embed a broker at %s: the endpoint must be %s", place->endpoint,
                           expected);
    struct embed *embed = calloc(1, sizeof *embed);
    if (embed == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    embed->log = log;
    embed->pid = getpid();
    enum busbar_status status = embed_open_quietly(embed, place);
    if (status == BUSBAR_OK)
        *ret = STEAL(embed);
    free(embed);
    return status;
}

const char *embed_endpoint(const struct embed *embed)
{
    return embed->library.endpoint(embed->broker);
}

void embed_stop(struct embed **embed)
{
    struct embed *gone = STEAL(*embed);
    if (gone == NULL || gone->pid != getpid())
        return;
    gone->library.stop(gone->broker);
    pthread_join(gone->thread, NULL);
    gone->library.destroy(&gone->broker);
    free(gone);
}
