#include "tests/unit/brokers_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/client_scene.h"

void brokers_pump(void *hint)
{
    struct brokers_scene *scene = hint;
    assert_int_equal(busbar_client_process(scene->client), BUSBAR_OK);
}

void brokers_open(struct brokers_scene *scene, size_t index, const char *endpoint)
{
    fake_broker_open(&scene->brokers[index], endpoint);
    scene->brokers[index].idle = brokers_pump;
    scene->brokers[index].hint = scene;
    scene->brokers[index].welcome.epoch = 100 + index;
    scene->is_open[index] = true;
}

void brokers_close(struct brokers_scene *scene, size_t index)
{
    fake_broker_close(&scene->brokers[index]);
    scene->is_open[index] = false;
}

void brokers_use(struct brokers_scene *scene, const char *list)
{
    const struct busbar_client_options options = {.broker = list};
    busbar_client_destroy(&scene->client);
    assert_int_equal(busbar_client_new(&scene->client, &options), BUSBAR_OK);
}

int brokers_set_up(void **state)
{
    struct brokers_scene *scene = calloc(1, sizeof *scene);
    char list[LIST_SIZE];
    *state = scene;
    for (size_t i = 0; i < BROKERS; i++)
        brokers_open(scene, i, NULL);
    snprintf(list, sizeof list, "%s, %s", scene->brokers[0].endpoint, scene->brokers[1].endpoint);
    brokers_use(scene, list);
    return 0;
}

int brokers_tear_down(void **state)
{
    struct brokers_scene *scene = *state;
    busbar_client_destroy(&scene->client);
    for (size_t i = 0; i < BROKERS; i++) {
        if (scene->is_open[i])
            brokers_close(scene, i);
    }
    free(scene);
    return 0;
}

uint64_t brokers_start(struct brokers_scene *scene, const struct busbar_call *call)
{
    uint64_t id = 0;
    assert_int_equal(busbar_client_start(scene->client, call, &id), BUSBAR_OK);
    return id;
}

/* The next outcome, of any call; its source is returned. */
enum busbar_source brokers_end(struct brokers_scene *scene, enum busbar_status status,
                               enum busbar_fate fate)
{
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_wait(scene->client, 3000, &reply), BUSBAR_OK);
    assert_string_equal(busbar_status_name(busbar_reply_status(reply)), busbar_status_name(status));
    assert_string_equal(busbar_fate_name(busbar_reply_fate(reply)), busbar_fate_name(fate));
    enum busbar_source source = busbar_reply_source(reply);
    busbar_reply_destroy(&reply);
    return source;
}

struct hello brokers_greet(struct brokers_scene *scene, size_t index)
{
    struct hello hello = {0};
    struct packet packet = fake_broker_expect(&scene->brokers[index], PACKET_HELLO);
    assert_true(hello_read(packet.body, &hello));
    fake_broker_welcome(&scene->brokers[index]);
    return hello;
}

uint64_t brokers_expect_call(struct brokers_scene *scene, size_t index)
{
    return fake_broker_expect(&scene->brokers[index], PACKET_CALL).id;
}

void brokers_answer(struct brokers_scene *scene, size_t index, uint64_t id)
{
    fake_broker_reply(&scene->brokers[index], id, bytes_of_text("done"));
}

/* One call, answered by that broker, with or without a session before it. */
void brokers_open_session(struct brokers_scene *scene, size_t index)
{
    (void)brokers_start(scene, &client_scene_echo);
    (void)brokers_greet(scene, index);
    brokers_answer(scene, index, brokers_expect_call(scene, index));
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    assert_string_equal(busbar_client_broker(scene->client), scene->brokers[index].endpoint);
}

void brokers_expect_silence(struct brokers_scene *scene, size_t index, unsigned ms)
{
    struct packet none;
    assert_false(fake_broker_next(&scene->brokers[index], &none, ms));
}

/* Until the client has heard what was said to it last. */
void brokers_let_hear(struct brokers_scene *scene, size_t index)
{
    brokers_expect_silence(scene, index, 30);
}
