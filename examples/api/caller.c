/*
 * Keeps a few calls of a greeter under way at once and counts their outcomes.
 * Usage: caller CALLS [SERVICE]. Exit code 0 if each call had one outcome and each was OK.
 */
#include <busbar/client.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 8,
    STATUSES = 256,
};

struct counts {
    unsigned long sent;
    unsigned long outcomes;
    unsigned long by_status[STATUSES];
};

static enum busbar_status start(struct busbar_client *client, const char *service,
                                struct counts *counts)
{
    char text[64];
    snprintf(text, sizeof text, "call %lu", counts->sent);
    struct busbar_value *arguments = busbar_value_list();
    struct busbar_value *argument = busbar_value_text(text);
    struct busbar_call call = {.service = service, .method = "get_data"};

    enum busbar_status status = busbar_value_append(arguments, &argument);
    if (status == BUSBAR_OK)
        status = busbar_body_value(&call.body, arguments);
    if (status == BUSBAR_OK)
        status = busbar_client_start(client, &call, NULL);
    if (status == BUSBAR_OK)
        counts->sent++;
    busbar_value_destroy(&arguments);
    return status;
}

static void count(struct counts *counts, const struct busbar_reply *reply)
{
    enum busbar_status status = busbar_reply_status(reply);
    counts->outcomes++;
    counts->by_status[status % STATUSES]++;
    if (status != BUSBAR_OK)
        fprintf(stderr, "caller: %s (%s): %s\n", busbar_status_name(status),
                busbar_fate_name(busbar_reply_fate(reply)), busbar_reply_error(reply));
    if (counts->outcomes % 100 == 0) {
        printf("%lu calls answered\n", counts->outcomes);
        fflush(stdout);
    }
}

static void run(struct busbar_client *client, const char *service, struct counts *counts,
                unsigned long calls)
{
    enum busbar_status status = BUSBAR_OK;
    while (counts->outcomes < calls) {
        while (status == BUSBAR_OK && counts->sent < calls &&
               counts->sent - counts->outcomes < AT_ONCE)
            status = start(client, service, counts);
        struct busbar_reply *reply = NULL;
        if (busbar_client_wait(client, 10000, &reply) != BUSBAR_OK)
            break;
        count(counts, reply);
        busbar_reply_destroy(&reply);
    }
}

int main(int argc, char **argv)
{
    struct counts counts = {0};
    struct busbar_client *client = NULL;
    unsigned long calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    if (busbar_client_new(&client, NULL) != BUSBAR_OK)
        return 1;
    run(client, argc > 2 ? argv[2] : "greeter", &counts, calls);
    busbar_client_destroy(&client);

    unsigned long ok = counts.by_status[BUSBAR_OK], lost = counts.by_status[BUSBAR_WORKER_LOST];
    printf("sent %lu, outcomes %lu: OK %lu, WORKER_LOST %lu, other %lu\n", counts.sent,
           counts.outcomes, ok, lost, counts.outcomes - ok - lost);
    return counts.sent != calls || counts.outcomes != calls || ok != calls;
}
