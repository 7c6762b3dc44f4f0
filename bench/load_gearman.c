/* Gearman: foreground jobs, as many tasks together as may be outstanding; libgearman. */
#include <libgearman/gearman.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"

struct gearman_peer {
    gearman_client_st *client;
    struct load_place place;
    size_t replies; /* since receive() was entered */
};

static void check(gearman_return_t status)
{
    if (gearman_failed(status))
        load_die("gearman", gearman_strerror(status));
}

static in_port_t split(const char *endpoint, char host[LOAD_ENDPOINT_SIZE])
{
    const char *colon = strrchr(endpoint, ':');
    size_t size = colon != NULL ? (size_t)(colon - endpoint) : 0;
    memcpy(host, endpoint, size);
    host[size] = '\0';
    return (in_port_t)strtoul(colon != NULL ? colon + 1 : "0", NULL, 10);
}

static gearman_return_t on_complete(gearman_task_st *task)
{
    struct gearman_peer *peer = gearman_task_context(task);
    load_check_size(&peer->place, gearman_task_data_size(task));
    peer->replies++;
    return GEARMAN_SUCCESS;
}

static void *client_open(const struct load_place *place)
{
    char host[LOAD_ENDPOINT_SIZE];
    struct gearman_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL || (peer->client = gearman_client_create(NULL)) == NULL)
        load_die("gearman", "no memory");
    peer->place = *place;
    in_port_t port = split(place->endpoint, host);
    check(gearman_client_add_server(peer->client, host, port));
    gearman_client_set_complete_fn(peer->client, on_complete);
    return peer;
}

static void client_send(void *owner, const void *body)
{
    struct gearman_peer *peer = owner;
    gearman_return_t status;
    gearman_client_add_task(peer->client, NULL, peer, peer->place.service, NULL, body,
                            peer->place.size, &status);
    check(status);
}

/* The library knows no window: it runs the tasks it has to their end. */
static size_t client_receive(void *owner)
{
    struct gearman_peer *peer = owner;
    peer->replies = 0;
    check(gearman_client_run_tasks(peer->client));
    gearman_client_task_free_all(peer->client);
    return peer->replies;
}

static void client_call(void *owner, const void *body)
{
    struct gearman_peer *peer = owner;
    gearman_return_t status;
    size_t size = 0;
    void *reply = gearman_client_do(peer->client, peer->place.service, NULL, body, peer->place.size,
                                    &size, &status);
    check(status);
    load_check_size(&peer->place, size);
    free(reply);
}

static void *on_job(gearman_job_st *job, void *context, size_t *ret_size, gearman_return_t *ret)
{
    size_t size = gearman_job_workload_size(job);
    void *reply = malloc(size + 1);
    (void)context;
    if (reply != NULL)
        memcpy(reply, gearman_job_workload(job), size);
    *ret_size = size;
    *ret = reply != NULL ? GEARMAN_SUCCESS : GEARMAN_WORK_FAIL;
    return reply;
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    char host[LOAD_ENDPOINT_SIZE];
    gearman_worker_st *worker = gearman_worker_create(NULL);
    if (worker == NULL)
        load_die("gearman", "no memory");
    in_port_t port = split(place->back, host);
    check(gearman_worker_add_server(worker, host, port));
    check(gearman_worker_add_function(worker, place->service, 0, on_job, NULL));
    ready(); /* jobs that come before it has connected wait for it */
    for (;;)
        check(gearman_worker_work(worker));
}

const struct load load_gearman = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .call = client_call,
    .serve = serve,
};
