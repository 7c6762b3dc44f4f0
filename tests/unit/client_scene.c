#include "tests/unit/client_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void client_scene_pump(void *hint)
{
    struct client_scene *scene = hint;
    assert_int_equal(busbar_client_process(scene->client), BUSBAR_OK);
}

void client_scene_open_broker(struct client_scene *scene, const char *endpoint)
{
    fake_broker_open(&scene->broker, endpoint);
    scene->broker.idle = client_scene_pump;
    scene->broker.hint = scene;
}

int client_scene_set_up(void **state)
{
    struct client_scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    *state = scene;
    client_scene_open_broker(scene, NULL);
    const struct busbar_client_options options = {.broker = scene->broker.endpoint};
    return busbar_client_new(&scene->client, &options);
}

int client_scene_tear_down(void **state)
{
    struct client_scene *scene = *state;
    busbar_client_destroy(&scene->client);
    fake_broker_close(&scene->broker);
    free(scene);
    return 0;
}

const struct busbar_call client_scene_echo = {.service = "echo", .method = "run"};

uint64_t client_scene_start(struct client_scene *scene, const struct busbar_call *call)
{
    uint64_t id = 0;
    assert_int_equal(busbar_client_start(scene->client, call, &id), BUSBAR_OK);
    return id;
}

void client_scene_open_session(struct client_scene *scene)
{
    struct busbar_reply *reply = NULL;
    (void)client_scene_start(scene, &client_scene_echo);
    (void)fake_broker_expect(&scene->broker, PACKET_HELLO);
    fake_broker_welcome(&scene->broker);
    struct packet call = fake_broker_expect(&scene->broker, PACKET_CALL);
    fake_broker_reply(&scene->broker, call.id, call.body);
    assert_int_equal(busbar_client_wait(scene->client, 1000, &reply), BUSBAR_OK);
    busbar_reply_destroy(&reply);
}

struct busbar_reply *client_scene_take(struct client_scene *scene)
{
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_wait(scene->client, 3000, &reply), BUSBAR_OK);
    return reply;
}

void client_scene_end(struct client_scene *scene, enum busbar_status status, enum busbar_fate fate)
{
    struct busbar_reply *reply = client_scene_take(scene);
    assert_string_equal(busbar_status_name(busbar_reply_status(reply)), busbar_status_name(status));
    assert_string_equal(busbar_fate_name(busbar_reply_fate(reply)), busbar_fate_name(fate));
    assert_false(busbar_reply_is_part(reply));
    busbar_reply_destroy(&reply);
}

struct packet client_scene_send(struct client_scene *scene, const struct busbar_call *call)
{
    (void)client_scene_start(scene, call);
    return fake_broker_expect(&scene->broker, PACKET_CALL);
}
