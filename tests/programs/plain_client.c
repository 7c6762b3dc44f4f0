/* A client of plain_worker: `plain_client ENDPOINT CALLS`, up to a hundred calls at once; exits 0 if
 * each came back as it was sent. */
#include <busbar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_ONCE = 100,
    TIMEOUT_MS = 60000, /* valgrind is slow */
};

static const char text[] = "the same back, please";

static bool start(struct busbar_client *client)
{
    const struct busbar_call call = {.service = "plain",
                                     .method = "echo",
                                     .body = busbar_body_text(text),
                                     .timeout_ms = TIMEOUT_MS};
    uint64_t id;
    return busbar_client_start(client, &call, &id) == BUSBAR_OK;
}

static bool take(struct busbar_client *client)
{
    struct busbar_reply *reply = NULL;
    if (busbar_client_wait(client, TIMEOUT_MS, &reply) != BUSBAR_OK)
        return false;
    bool same = busbar_reply_status(reply) == BUSBAR_OK &&
                busbar_reply_size(reply) == strlen(text) &&
                memcmp(busbar_reply_data(reply), text, strlen(text)) == 0;
    if (!same)
        fprintf(stderr, "plain_client: %s\n", busbar_reply_error(reply));
    busbar_reply_destroy(&reply);
    return same;
}

static bool run(struct busbar_client *client, unsigned long calls)
{
    unsigned long started = 0;
    for (unsigned long taken = 0; taken < calls; taken++) {
        for (; started < calls && started - taken < AT_ONCE; started++) {
            if (!start(client))
                return false;
        }
        if (!take(client))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: plain_client ENDPOINT CALLS\n", stderr);
        return EXIT_FAILURE;
    }
    const struct busbar_client_options options = {.broker = argv[1]};
    struct busbar_client *client = NULL;
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        return EXIT_FAILURE;
    bool fine = run(client, strtoul(argv[2], NULL, 10));
    if (!fine)
        fprintf(stderr, "plain_client: %s\n", busbar_client_error(client));
    busbar_client_destroy(&client);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
