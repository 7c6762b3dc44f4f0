/*
 * The measuring stick beside `busbar bench`: ZeroMQ's own zmq_proxy between one DEALER client and
 * one DEALER worker, on loopback, each call a header frame of 16 bytes and a body. Takes no side:
 * the client checks the size of each reply and nothing more, and high-water marks are off.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum {
    HEADER_SIZE = 16,
    LIFE_S = 600,        /* no role lives longer */
    REPLY_MS = 15000,    /* a reply that takes longer is a failure */
    WARM_UP_MAX = 20000, /* as many as `busbar bench` has at most */
    SENDS_PER_LOOK = 16, /* while the window fills, replies are looked for after so many */
    SAMPLES_MAX = 10000000,
    ENDPOINT_SIZE = 128,
    LINE_SIZE = 512,
};

struct plan {
    uint64_t calls;
    uint64_t outstanding;
    uint64_t size;
};

struct client {
    void *socket;
    char *body;
    size_t size;
};

struct child {
    pid_t pid;
    FILE *output;
};

struct child_role {
    void (*run)(const char *endpoint, const struct plan *plan);
    const char *endpoint;
    const struct plan *plan;
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, zmq_strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
        die("zmq_setsockopt");
}

/* One I/O thread, which is libzmq's default; each process has one socket context. */
static void *open_socket(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    if (socket == NULL)
        die("zmq_socket");
    set(socket, ZMQ_SNDHWM, 0);
    set(socket, ZMQ_RCVHWM, 0);
    set(socket, ZMQ_LINGER, 0);
    return socket;
}

static void *bind_socket(void *context, int type, char endpoint[ENDPOINT_SIZE])
{
    void *socket = open_socket(context, type);
    size_t size = ENDPOINT_SIZE;
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        die("zmq_bind");
    return socket;
}

static void *connect_socket(void *context, const char *endpoint)
{
    void *socket = open_socket(context, ZMQ_DEALER);
    if (zmq_connect(socket, endpoint) != 0)
        die("zmq_connect");
    return socket;
}

static void run_broker(const char *endpoint, const struct plan *plan)
{
    char front[ENDPOINT_SIZE], back[ENDPOINT_SIZE];
    void *context = zmq_ctx_new();
    (void)endpoint;
    (void)plan;
    void *clients = bind_socket(context, ZMQ_ROUTER, front);
    void *workers = bind_socket(context, ZMQ_DEALER, back);
    printf("front=%s back=%s\n", front, back);
    fflush(stdout);
    zmq_proxy(clients, workers, NULL);
    die("zmq_proxy");
}

/* Sends back each frame as it came, until it is ended by a signal. */
static void run_worker(const char *endpoint, const struct plan *plan)
{
    void *socket = connect_socket(zmq_ctx_new(), endpoint);
    zmq_msg_t frame;
    (void)plan;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, socket, 0) >= 0) {
        int more = zmq_msg_more(&frame) ? ZMQ_SNDMORE : 0;
        if (zmq_msg_send(&frame, socket, more) < 0)
            die("zmq_msg_send");
    }
    die("zmq_msg_recv");
}

static void send_call(const struct client *client)
{
    static const char header[HEADER_SIZE] = "a header, 16 B.";
    if (zmq_send(client->socket, header, sizeof header, ZMQ_SNDMORE) < 0 ||
        zmq_send(client->socket, client->body, client->size, 0) < 0)
        die("zmq_send");
}

/* False if there is none and `flags` says not to wait. */
static bool receive_reply(const struct client *client, int flags)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool got = zmq_msg_recv(&frame, client->socket, flags) >= 0;
    if (!got && (errno != EAGAIN || flags != ZMQ_DONTWAIT))
        die("no reply in time");
    if (got &&
        (zmq_msg_size(&frame) != HEADER_SIZE || !zmq_msg_more(&frame) ||
         zmq_msg_recv(&frame, client->socket, 0) != (int)client->size || zmq_msg_more(&frame))) {
        errno = EPROTO;
        die("a reply is not what was sent");
    }
    zmq_msg_close(&frame);
    return got;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* `times` NULL: a warm-up. */
static void call_one_by_one(const struct client *client, uint64_t calls, uint64_t *times)
{
    for (uint64_t i = 0; i < calls; i++) {
        uint64_t from = now_ns();
        send_call(client);
        receive_reply(client, 0);
        if (times != NULL)
            times[i] = now_ns() - from;
    }
}

static void call_many(const struct client *client, uint64_t calls, uint64_t outstanding)
{
    uint64_t sent = 0, received = 0;
    while (received < calls) {
        while (sent < calls && sent - received < outstanding) {
            send_call(client);
            if (++sent % SENDS_PER_LOOK != 0)
                continue;
            while (received < sent && receive_reply(client, ZMQ_DONTWAIT))
                received++;
        }
        if (received < sent) {
            receive_reply(client, 0);
            received++;
        }
        while (received < sent && receive_reply(client, ZMQ_DONTWAIT))
            received++;
    }
}

static void run_client(const char *endpoint, const struct plan *plan)
{
    struct client client = {.socket = connect_socket(zmq_ctx_new(), endpoint),
                            .body = calloc(1, plan->size + 1),
                            .size = plan->size};
    bool alone = plan->outstanding == 1;
    uint64_t *times = calloc(alone ? plan->calls : 1, sizeof *times);
    uint64_t warm_up = plan->calls / 10 + 1 < WARM_UP_MAX ? plan->calls / 10 + 1 : WARM_UP_MAX;
    char byte;
    if (client.body == NULL || times == NULL || (alone && plan->calls > SAMPLES_MAX))
        die("too many calls");
    set(client.socket, ZMQ_RCVTIMEO, REPLY_MS);
    call_many(&client, warm_up, plan->outstanding);
    puts("warm");
    fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) < 0) /* so that the broker's time can be read before */
        die("read");
    uint64_t from = now_ns();
    if (alone)
        call_one_by_one(&client, plan->calls, times);
    else
        call_many(&client, plan->calls, plan->outstanding);
    double seconds = (double)(now_ns() - from) / 1e9;
    if (alone)
        qsort(times, plan->calls, sizeof *times, compare);
    printf("calls_per_second=%.0f p50=%" PRIu64 " p99=%" PRIu64 "\n", (double)plan->calls / seconds,
           times[alone ? plan->calls / 2 : 0], times[alone ? plan->calls * 99 / 100 : 0]);
    fflush(stdout);
}

static struct child start(const struct child_role *role, int *ret_input)
{
    int in[2], out[2];
    pid_t parent = getpid();
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(LIFE_S);
        if (getppid() != parent || dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
            _exit(EXIT_FAILURE);
        close(in[1]); /* or its stdin would have no end */
        close(out[0]);
        role->run(role->endpoint, role->plan);
        _exit(EXIT_SUCCESS);
    }
    close(in[0]);
    close(out[1]);
    *ret_input = in[1];
    return (struct child){.pid = pid, .output = fdopen(out[0], "r")};
}

static void end(const struct child *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    fclose(child->output);
}

/* What all threads of a process have run, in ns. */
static uint64_t process_cpu_ns(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    uint64_t sum = 0, used;
    if (tasks == NULL)
        die(path);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s/schedstat", path, entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(name, "re") : NULL;
        if (file == NULL)
            continue;
        if (fscanf(file, "%" SCNu64, &used) == 1)
            sum += used;
        fclose(file);
    }
    closedir(tasks);
    return sum;
}

static void expect(const struct child *child, char line[LINE_SIZE])
{
    errno = EPIPE;
    if (fgets(line, LINE_SIZE, child->output) == NULL)
        die("a process ended too early");
}

/* Broker, worker and client as processes of their own; prints what `busbar bench --json` does. */
static void run_all(const char *endpoint, const struct plan *plan)
{
    char line[LINE_SIZE], front[ENDPOINT_SIZE], back[ENDPOINT_SIZE];
    int inputs[3];
    double rate;
    uint64_t p50, p99;
    (void)endpoint;
    struct child broker = start(&(struct child_role){run_broker, NULL, plan}, &inputs[0]);
    expect(&broker, line);
    if (sscanf(line, "front=%127s back=%127s", front, back) != 2)
        die("the broker's endpoints");
    struct child worker = start(&(struct child_role){run_worker, back, plan}, &inputs[1]);
    struct child client = start(&(struct child_role){run_client, front, plan}, &inputs[2]);
    expect(&client, line);
    uint64_t before = process_cpu_ns(broker.pid);
    close(inputs[2]);
    expect(&client, line);
    uint64_t used = process_cpu_ns(broker.pid) - before;
    if (sscanf(line, "calls_per_second=%lf p50=%" SCNu64 " p99=%" SCNu64, &rate, &p50, &p99) != 3)
        die("the client's result");
    printf("{\"calls_per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
           "\"broker_cpu_us_per_call\": %.3f}\n",
           rate, (double)p50 / 1e3, (double)p99 / 1e3, (double)used / 1e3 / (double)plan->calls);
    end(&client);
    end(&worker);
    end(&broker);
}

static const struct {
    const char *name;
    void (*run)(const char *endpoint, const struct plan *plan);
    bool connects;
} roles[] = {
    {"run", run_all, false},
    {"broker", run_broker, false},
    {"worker", run_worker, true},
    {"client", run_client, true},
};

static int usage(void)
{
    fputs("usage: proxy run            [CALLS [OUTSTANDING [SIZE]]]   all of it; prints JSON\n"
          "       proxy broker                                        prints its endpoints\n"
          "       proxy worker ENDPOINT\n"
          "       proxy client ENDPOINT [CALLS [OUTSTANDING [SIZE]]]  begins at the end of stdin\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct plan plan = {.calls = 400000, .outstanding = 1000, .size = 64};
    uint64_t *const numbers[] = {&plan.calls, &plan.outstanding, &plan.size};
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof roles[0]; i++) {
        int first = roles[i].connects ? 3 : 2;
        if (strcmp(argv[1], roles[i].name) != 0 || argc < first || argc > first + 3)
            continue;
        for (int j = first; j < argc; j++)
            *numbers[j - first] = strtoull(argv[j], NULL, 10);
        if (plan.calls == 0 || plan.outstanding == 0)
            return usage();
        alarm(LIFE_S);
        roles[i].run(roles[i].connects ? argv[2] : NULL, &plan);
        return EXIT_SUCCESS;
    }
    return usage();
}
