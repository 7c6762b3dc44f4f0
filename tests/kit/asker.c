/* Native calls with bodies of words. */
#include "tests/kit/asker.h"

#include <string.h>

enum {
    WORKER_MS = 10000, /* for a worker whose READY is on its way */
};

void asker_init(struct asker *asker, struct kit *kit, const char *service)
{
    const struct busbar_client_options options = {.broker = kit->endpoint, .timeout_ms = 30000};
    asker->service = service;
    const struct busbar_call greeting = {.service = "bus", .method = "stats"};
    assert_int_equal(busbar_client_new(&asker->client, &options), BUSBAR_OK);
    /* Now there is a session, and what is started later leaves at once. */
    assert_int_equal(busbar_client_call(asker->client, &greeting, NULL), BUSBAR_OK);
}

void asker_fini(struct asker *asker)
{
    busbar_client_destroy(&asker->client);
}

/* The body that stands for these frames: of one, its own bytes. */
static struct busbar_body body_of(const struct mdp_frames *frames)
{
    struct busbar_body body;
    assert_true(frames->count > 0);
    if (frames->count == 1)
        return busbar_body_copied(frames->at[0].data, frames->at[0].size);
    struct busbar_value *list = busbar_value_list();
    for (size_t i = 0; i < frames->count; i++) {
        struct busbar_value *frame = busbar_value_bytes(frames->at[i].data, frames->at[i].size);
        assert_int_equal(busbar_value_append(list, &frame), BUSBAR_OK);
    }
    assert_int_equal(busbar_body_value(&body, list), BUSBAR_OK);
    busbar_value_destroy(&list);
    return body;
}

void asker_call(struct asker *asker, const char *method, const char *body,
                const struct busbar_call *more)
{
    static const struct mdp_peer nobody = {0};
    struct mdp_words words;
    struct busbar_call call = more != NULL ? *more : (struct busbar_call){0};
    mdp_words_read(&words, &nobody, body);
    call.service = asker->service;
    call.method = method;
    call.wait_ms = call.wait_ms != 0 ? call.wait_ms : WORKER_MS;
    enum busbar_encoding encoding = call.body.encoding;
    call.body = body_of(&words.frames);
    if (encoding != BUSBAR_RAW)
        call.body.encoding = encoding;
    assert_int_equal(busbar_client_start(asker->client, &call, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_flush(asker->client), BUSBAR_OK);
    mdp_words_end(&words);
}

static struct busbar_reply *wait_for_reply(struct asker *asker)
{
    struct busbar_reply *reply = NULL;
    if (busbar_client_wait(asker->client, kit_time(MDP_WAIT_MS), &reply) != BUSBAR_OK)
        fail_msg("no reply, and no part, within %u ms", kit_time(MDP_WAIT_MS));
    return reply;
}

static void check_body(const struct busbar_reply *reply, const char *body)
{
    static const struct mdp_peer nobody = {0};
    struct mdp_words words;
    mdp_words_read(&words, &nobody, body);
    struct busbar_body expected = body_of(&words.frames);
    size_t size = busbar_reply_size(reply);
    if (size != expected.size || busbar_reply_encoding(reply) != expected.encoding ||
        (size > 0 && memcmp(busbar_reply_data(reply), expected.data, size) != 0))
        fail_msg("%zu bytes of encoding %d came: %.*s, not \"%s\"", size,
                 (int)busbar_reply_encoding(reply), size < 60 ? (int)size : 60,
                 (const char *)busbar_reply_data(reply), body);
    busbar_body_release(&expected);
    mdp_words_end(&words);
}

static void check_ok(struct busbar_reply *reply, const char *body, bool is_part)
{
    if (busbar_reply_status(reply) != BUSBAR_OK)
        fail_msg("%s: %s", busbar_status_name(busbar_reply_status(reply)),
                 busbar_reply_error(reply));
    assert_int_equal(busbar_reply_is_part(reply), is_part);
    check_body(reply, body);
    busbar_reply_destroy(&reply);
}

void asker_hear(struct asker *asker, const char *body)
{
    check_ok(wait_for_reply(asker), body, false);
}

void asker_hear_part(struct asker *asker, const char *body)
{
    check_ok(wait_for_reply(asker), body, true);
}

bool asker_is_told(struct asker *asker, const char *body, unsigned ms)
{
    struct busbar_reply *reply = NULL;
    if (busbar_client_wait(asker->client, ms, &reply) != BUSBAR_OK)
        return false;
    check_ok(reply, body, false);
    return true;
}

void asker_hear_status(struct asker *asker, enum busbar_status status)
{
    struct busbar_reply *reply = wait_for_reply(asker);
    if (busbar_reply_status(reply) != status)
        fail_msg("%s, not %s: %s", busbar_status_name(busbar_reply_status(reply)),
                 busbar_status_name(status), busbar_reply_error(reply));
    busbar_reply_destroy(&reply);
}
