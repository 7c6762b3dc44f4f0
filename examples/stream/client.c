/* Asks `numbers` for the primes below 5000, adds the parts up as they come, and shows the progress. */
#include <busbar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each part is let go of at its end, which makes room for another one. */
static void on_part(struct busbar_reply **part, void *context)
{
    char digits[16] = "";
    long *sum = context;
    size_t size = busbar_reply_size(*part);
    if (size < sizeof digits)
        memcpy(digits, busbar_reply_data(*part), size);
    *sum += strtol(digits, NULL, 10);
}

static void on_progress(const struct busbar_progress *progress, void *context)
{
    (void)context;
    fprintf(stderr, "%d of 1000: %s\n", progress->permille, progress->text);
}

int main(void)
{
    long sum = 0;
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = {
        .service = "numbers",
        .method = "primes",
        .body = busbar_body_text("5000"),
        .flags = BUSBAR_STREAM,
        .wait_ms = 2000, /* for the worker, if it is not there yet */
        .part = on_part,
        .progress = on_progress,
        .context = &sum,
    };
    enum busbar_status status = busbar_client_new(&client, NULL);
    if (status == BUSBAR_OK)
        status = busbar_client_call(client, &call, &reply);
    if (status == BUSBAR_OK)
        printf("%.*s, their sum is %ld\n", (int)busbar_reply_size(reply),
               (const char *)busbar_reply_data(reply), sum);
    else
        fprintf(stderr, "client: %s: %s\n", busbar_status_name(status),
                busbar_client_error(client));
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
    return status != BUSBAR_OK;
}
