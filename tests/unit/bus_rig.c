#include "tests/unit/bus_rig.h"

#include <arpa/inet.h>
#include <busbar/broker.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* The shared library beside the test: the rooms of the broker and of the client have names in
 * common, so that one program cannot be linked with both. */
static struct {
    void *library;
    __typeof__(busbar_broker_new) *make;
    __typeof__(busbar_broker_endpoint) *endpoint;
    __typeof__(busbar_broker_run) *run;
    __typeof__(busbar_broker_stop) *stop;
    __typeof__(busbar_broker_destroy) *destroy;
} api;

static void find(void *ret, const char *name)
{
    void *found = dlsym(api.library, name);
    assert_non_null(found);
    memcpy(ret, &found, sizeof found);
}

static void open_library(void)
{
    char path[4096];
    if (api.library != NULL)
        return;
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(size > 0);
    path[size] = '\0';
    char *name = strrchr(path, '/') + 1;
    snprintf(name, (size_t)(path + sizeof path - name), "libbusbar-broker.so.0");
    api.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (api.library == NULL)
        fail_msg("%s", dlerror());
    find(&api.make, "busbar_broker_new");
    find(&api.endpoint, "busbar_broker_endpoint");
    find(&api.run, "busbar_broker_run");
    find(&api.stop, "busbar_broker_stop");
    find(&api.destroy, "busbar_broker_destroy");
}

static void *run(void *broker)
{
    enum busbar_status status = api.run(broker);
    return (void *)(uintptr_t)status;
}

void bus_start(struct bus *bus)
{
    char error[256];
    enum busbar_status status = BUSBAR_SYSTEM;
    open_library();
    if (bus->endpoint[0] == '\0')
        snprintf(bus->endpoint, sizeof bus->endpoint, "tcp://127.0.0.1:*");
    const struct busbar_broker_options options = {.endpoint = bus->endpoint};
    for (int i = 0; i < 100 && status != BUSBAR_OK; i++) {
        status = api.make(&bus->broker, &options, error, sizeof error);
        if (status != BUSBAR_OK)
            usleep(20000);
    }
    if (status != BUSBAR_OK)
        fail_msg("%s", error);
    snprintf(bus->endpoint, sizeof bus->endpoint, "%s", api.endpoint(bus->broker));
    assert_int_equal(pthread_create(&bus->thread, NULL, run, bus->broker), 0);
}

void bus_stop(struct bus *bus)
{
    if (bus->broker == NULL)
        return;
    api.stop(bus->broker);
    pthread_join(bus->thread, NULL);
    api.destroy(&bus->broker);
}

void bus_nowhere(char endpoint[128])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    snprintf(endpoint, 128, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

struct busbar_worker *bus_worker(const struct bus *bus, const struct busbar_service *services,
                                 size_t count, uint32_t threads)
{
    struct busbar_worker *worker = NULL;
    const struct busbar_worker_options options = {
        .broker = bus->endpoint, .threads = threads, .stop_timeout_ms = 3000};
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(busbar_worker_register(worker, &services[i]), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait_ready(worker, 20000), BUSBAR_OK);
    return worker;
}

struct busbar_worker *bus_serve(const struct bus *bus, const char *service,
                                const struct busbar_method *methods, void *context)
{
    struct busbar_service served = {.name = service, .methods = methods, .context = context};
    while (methods[served.method_count].name != NULL)
        served.method_count++;
    return bus_worker(bus, &served, 1, 1);
}

struct busbar_object *bus_proxy(const struct bus *bus, const char *service)
{
    struct busbar_object *proxy = NULL;
    const char *brokers[] = {bus->endpoint, NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    return proxy;
}
