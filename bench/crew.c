/* Children that call or answer: started, held at a gate, let go, waited for and ended. */
#include "bench/crew.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/process.h"

enum {
    WARM_UP_MAX = 20000, /* calls */
    WARM_UP_PART = 10,   /* of the calls or of the time */
    STEP_MS = 100,
    READY_STEPS = 600,
    DONE_STEPS = 5000,
    STACK_SIZE = 1024 * 1024,
};

/* In shared memory. */
struct gate {
    sem_t ready;
    sem_t go;
    sem_t done;
};

/* One thread of a child. */
struct member {
    const struct crew_plan *plan;
    struct crew *crew; /* of clients */
    uint64_t index;
    struct load_place place;
    void *client;
    char *body;
};

static struct gate *gate;
static volatile sig_atomic_t interrupted;
static pid_t children[CREW_PROCESSES_MAX];
static size_t child_count;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        load_die("mmap", strerror(errno));
    return memory;
}

void crew_init(struct crew *crew, const struct crew_plan *clients)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    gate = share(sizeof *gate);
    sem_init(&gate->ready, 1, 0);
    sem_init(&gate->go, 1, 0);
    sem_init(&gate->done, 1, 0);
    crew->clients = clients->count;
    crew->results = share(clients->count * sizeof *crew->results);
    crew->times_each = clients->calls;
    crew->times = clients->outstanding > 1
                      ? NULL
                      : share(clients->count * crew->times_each * sizeof *crew->times);
}

void crew_ready(void)
{
    sem_post(&gate->ready);
}

/* Ends everything when a child is gone or a signal asks for it. */
static void watch(void)
{
    if (interrupted)
        load_die("a signal", "nothing was measured");
    for (size_t i = 0; i < child_count; i++) {
        if (waitpid(children[i], NULL, WNOHANG) == children[i]) {
            children[i] = 0;
            load_die("a process", "it ended before its time");
        }
    }
}

static void await(sem_t *semaphore, uint64_t count, int steps)
{
    while (count > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += STEP_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (sem_timedwait(semaphore, &until) == 0)
            count--;
        else if (--steps < 0)
            load_die("clients and workers", "they took too long");
        watch();
    }
}

void crew_wait_ready(uint64_t count)
{
    await(&gate->ready, count, READY_STEPS);
}

/* When to stop: after so many calls, or at a time; whichever comes first. */
struct end {
    uint64_t calls;
    uint64_t at; /* ns */
};

/* Fills the window, then sends as many as came back; returns how many were answered. */
static uint64_t call_many(const struct member *member, const struct end *end)
{
    const struct load *load = member->plan->load;
    uint64_t sent = 0, received = 0, most = end->calls;
    while (received < most) {
        while (sent < most && sent - received < member->plan->outstanding) {
            load->send(member->client, member->body);
            sent++;
        }
        received += load->receive(member->client);
        if (clock_ns() >= end->at)
            most = sent;
    }
    return received;
}

static uint64_t call_one_by_one(const struct member *member, const struct end *end, uint64_t *times)
{
    const struct load *load = member->plan->load;
    uint64_t count = 0, to = 0;
    while (count < end->calls && to < end->at) {
        uint64_t from = clock_ns();
        if (load->call != NULL) {
            load->call(member->client, member->body);
        } else {
            load->send(member->client, member->body);
            if (load->receive(member->client) != 1)
                load_die("a reply", "there are more than there were requests");
        }
        to = clock_ns();
        times[count++] = to - from;
    }
    return count;
}

/* The times of a warm-up are written over by those that count. */
static uint64_t call(const struct member *member, const struct end *end)
{
    struct crew *crew = member->crew;
    if (member->plan->outstanding > 1)
        return call_many(member, end);
    return call_one_by_one(member, end, crew->times + member->index * crew->times_each);
}

static struct end end_of(const struct crew_plan *plan, uint64_t part)
{
    uint64_t now = clock_ns();
    struct end end = {.calls = plan->calls > 0 ? (plan->calls - 1) / part + 1 : UINT64_MAX,
                      .at = plan->seconds > 0 ? now + plan->seconds * 1000000000u / part
                                              : UINT64_MAX};
    return end;
}

static void warm_up(const struct member *member)
{
    struct end end = end_of(member->plan, WARM_UP_PART);
    if (end.calls > WARM_UP_MAX)
        end.calls = WARM_UP_MAX;
    call(member, &end);
}

static void *client_main(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    member->client = member->plan->load->open(&member->place);
    warm_up(member);
    crew_ready();
    while (member->plan->counts && sem_wait(&gate->go) != 0)
        continue;
    uint64_t from = clock_ns();
    struct end end = end_of(member->plan, 1);
    uint64_t calls = call(member, &end);
    crew->results[member->index] = (struct crew_result){calls, from, clock_ns()};
    sem_post(&gate->done);
    return NULL;
}

/* All idle clients of a process. */
static void *idle_main(void *argument)
{
    struct member *member = argument;
    const struct load *load = member->plan->load;
    struct load_place place = member->place;
    for (; place.index < member->place.index + member->place.count; place.index++) {
        void *client = load->open(&place);
        load->send(client, member->body);
        if (load->receive(client) != 1)
            load_die("a reply", "there are more than there were requests");
        crew_ready();
    }
    return NULL;
}

static void *worker_main(void *argument)
{
    struct member *member = argument;
    member->plan->load->serve(&member->place, crew_ready);
    load_die("a worker", "it ended");
}

static void prepare(struct member *member, const struct member *model, uint64_t index)
{
    const struct crew_plan *plan = model->plan;
    *member = *model;
    member->index = index;
    member->place = *plan->place;
    member->place.service = plan->service;
    member->place.outstanding = plan->outstanding;
    member->place.index = (unsigned)index;
    member->place.count = 1;
    member->body = malloc(plan->place->size + 1);
    if (member->body == NULL)
        load_die("a body", strerror(errno));
    memset(member->body, 'b', plan->place->size);
}

static void start_thread(struct member *member, void *(*main)(void *))
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (pthread_create(&thread, &attributes, main, member) != 0)
        load_die("pthread_create", "no thread");
    pthread_detach(thread);
    pthread_attr_destroy(&attributes);
}

/* In a child: members from range[0] up to range[1], each a thread. */
__attribute__((noreturn)) static void run_members(const struct member *model, void *(*main)(void *),
                                                  const uint64_t range[2])
{
    uint64_t count = range[1] - range[0];
    struct member *members = calloc(count, sizeof *members);
    if (members == NULL)
        load_die("threads", strerror(errno));
    bool one_for_all = main == idle_main || (main == worker_main && model->plan->load->serves_all);
    for (uint64_t i = 0; i < (one_for_all ? 1 : count); i++) {
        prepare(&members[i], model, range[0] + i);
        if (one_for_all)
            members[i].place.count = (unsigned)count;
        start_thread(&members[i], main);
    }
    for (;;)
        pause();
}

static void start(const struct member *model, void *(*main)(void *))
{
    const struct crew_plan *plan = model->plan;
    uint64_t processes = plan->processes == 0 ? plan->count : plan->processes;
    for (uint64_t i = 0; i < processes; i++) {
        const uint64_t range[2] = {plan->count * i / processes, plan->count * (i + 1) / processes};
        if (child_count == CREW_PROCESSES_MAX)
            load_die("processes", "too many");
        pid_t pid = process_fork();
        if (pid == 0)
            run_members(model, main, range);
        children[child_count++] = pid;
    }
    crew_wait_ready(plan->count);
}

void crew_start_workers(const struct crew_plan *plan)
{
    start(&(struct member){.plan = plan}, worker_main);
}

void crew_start_clients(struct crew *crew, const struct crew_plan *plan)
{
    start(&(struct member){.plan = plan, .crew = crew}, plan->idle ? idle_main : client_main);
}

void crew_measure(const struct crew *crew)
{
    for (uint64_t i = 0; i < crew->clients; i++)
        sem_post(&gate->go);
    await(&gate->done, crew->clients, DONE_STEPS);
}

void crew_end(void)
{
    while (child_count > 0)
        process_end(children[--child_count]);
}
