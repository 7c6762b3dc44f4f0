/*
 * A worker that exports the service `greeter`: get_data and happy_birthday, each of one string.
 * Usage: worker [MILLISECONDS], how long each greeting takes (default 0). SIGTERM stops it in order.
 */
#include <busbar/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What the signal handler stops. */
static struct busbar_worker *worker;

static void stop(int number)
{
    (void)number;
    busbar_worker_stop(worker);
}

static void take_time(const long *milliseconds)
{
    struct timespec time = {*milliseconds / 1000, *milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* The arguments of a call are a list; ours have one string. NULL: the request has been refused. */
static struct busbar_value *arguments_of(struct busbar_request **request, const char **ret_text)
{
    struct busbar_value *arguments = NULL;
    *ret_text = NULL;
    if (busbar_request_value(*request, &arguments) == BUSBAR_OK)
        *ret_text = busbar_value_as_text(busbar_value_at(arguments, 0));
    if (*ret_text == NULL || busbar_value_count(arguments) != 1) {
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "takes one string");
        busbar_value_destroy(&arguments);
    }
    return arguments;
}

static void reply_value(struct busbar_request **request, struct busbar_value *value)
{
    struct busbar_body body;
    if (busbar_body_value(&body, value) == BUSBAR_OK)
        busbar_request_reply(request, body);
    else
        busbar_request_fail(request, BUSBAR_APP_ERROR, "out of memory");
    busbar_value_destroy(&value);
}

static void get_data(struct busbar_request **request, void *context)
{
    const char *text;
    struct busbar_value *arguments = arguments_of(request, &text);
    if (arguments == NULL)
        return;
    char answer[1024];
    take_time(context);
    snprintf(answer, sizeof answer, "You got remote data => %s", text);
    busbar_value_destroy(&arguments);
    reply_value(request, busbar_value_text(answer));
}

static void happy_birthday(struct busbar_request **request, void *context)
{
    static const char line[] = "Happy Birthday to you!";
    const char *name;
    struct busbar_value *arguments = arguments_of(request, &name);
    if (arguments == NULL)
        return;
    char dear[1024];
    take_time(context);
    snprintf(dear, sizeof dear, "Happy Birthday Dear %s!", name);
    busbar_value_destroy(&arguments);
    struct busbar_value *song = busbar_value_list();
    const char *const lines[] = {line, line, dear, line};
    for (int i = 0; i < 4 && song != NULL; i++) {
        struct busbar_value *text = busbar_value_text(lines[i]);
        if (busbar_value_append(song, &text) != BUSBAR_OK)
            busbar_value_destroy(&song);
    }
    reply_value(request, song);
}

int main(int argc, char **argv)
{
    static const struct busbar_method methods[] = {
        {"get_data", get_data, "s>s", "repeats what it is given", BUSBAR_IDEMPOTENT, 0},
        {"happy_birthday", happy_birthday, "s>as", "the song, four lines", BUSBAR_IDEMPOTENT, 0},
    };
    long milliseconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    const struct busbar_service greeter = {
        .name = "greeter",
        .methods = methods,
        .method_count = 2,
        .version = "1.0",
        .context = &milliseconds,
    };
    enum busbar_status status = busbar_worker_new(&worker, NULL);
    if (status == BUSBAR_OK)
        status = busbar_worker_register(worker, &greeter);
    if (status == BUSBAR_OK) {
        signal(SIGTERM, stop);
        signal(SIGINT, stop);
        status = busbar_worker_run(worker);
    }
    if (status != BUSBAR_OK)
        fprintf(stderr, "worker: %s\n", busbar_status_text(status));
    busbar_worker_destroy(&worker);
    return status != BUSBAR_OK;
}
