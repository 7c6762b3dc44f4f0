/* A client before a fake broker, for tests that drive both: what the tests of clients share. */
#ifndef TESTS_UNIT_CLIENT_SCENE_H
#define TESTS_UNIT_CLIENT_SCENE_H

#include <busbar/client.h>

#include "fake_broker.h"

struct client_scene {
    struct fake_broker broker;
    struct busbar_client *client;
    unsigned callbacks;
    enum busbar_status last_status;
};

/* For cmocka: the broker does what each test says, while the client is driven from
 * fake_broker_next. */
int client_scene_set_up(void **state);
int client_scene_tear_down(void **state);

/* Lets the client, `hint` being its scene, do what there is to do. */
void client_scene_pump(void *hint);

/* Opens the broker (again), at an endpoint or anywhere. */
void client_scene_open_broker(struct client_scene *scene, const char *endpoint);

/* A call of echo.run, without a body. */
extern const struct busbar_call client_scene_echo;

uint64_t client_scene_start(struct client_scene *scene, const struct busbar_call *call);

/* Starts one call and answers its HELLO and itself, so that the session is up. */
void client_scene_open_session(struct client_scene *scene);

/* The next outcome or part for busbar_client_wait, which must come. */
struct busbar_reply *client_scene_take(struct client_scene *scene);

/* The next outcome, which must have this status and fate; it is destroyed. */
void client_scene_end(struct client_scene *scene, enum busbar_status status, enum busbar_fate fate);

/* Starts the call and returns what the broker got of it; the id is that of the packet. */
struct packet client_scene_send(struct client_scene *scene, const struct busbar_call *call);

#endif
