/* A client before two fake brokers, for tests of what it does when one goes. */
#ifndef TESTS_UNIT_BROKERS_SCENE_H
#define TESTS_UNIT_BROKERS_SCENE_H

#include <busbar/client.h>

#include "fake_broker.h"

enum {
    BROKERS = 2,
    LIST_SIZE = 400,
};

struct brokers_scene {
    struct fake_broker brokers[BROKERS];
    bool is_open[BROKERS];
    struct busbar_client *client;
};

/* For cmocka. The client has both in its list, in their order. */
int brokers_set_up(void **state);
int brokers_tear_down(void **state);

/* Lets the client, `hint` being its scene, do what there is to do. */
void brokers_pump(void *hint);

void brokers_open(struct brokers_scene *scene, size_t index, const char *endpoint);
void brokers_close(struct brokers_scene *scene, size_t index);

/* Makes the client anew, with another list. */
void brokers_use(struct brokers_scene *scene, const char *list);

uint64_t brokers_start(struct brokers_scene *scene, const struct busbar_call *call);

/* The next outcome, of any call; its source is returned. */
enum busbar_source brokers_end(struct brokers_scene *scene, enum busbar_status status,
                               enum busbar_fate fate);

/* Takes in a HELLO, which must come next, and answers it. */
struct hello brokers_greet(struct brokers_scene *scene, size_t index);

/* The id of a CALL, which must come next. */
uint64_t brokers_expect_call(struct brokers_scene *scene, size_t index);
void brokers_answer(struct brokers_scene *scene, size_t index, uint64_t id);

/* One call, answered by that broker in a session that it opens. */
void brokers_open_session(struct brokers_scene *scene, size_t index);

void brokers_expect_silence(struct brokers_scene *scene, size_t index, unsigned ms);

/* Until the client has heard what was said to it last. */
void brokers_let_hear(struct brokers_scene *scene, size_t index);

#endif
