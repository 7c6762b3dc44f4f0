/*
 * What tests of exports stand on: a broker in this process, exports with it, an object of the
 * test's own that tells how it was called, and a client.
 */
#ifndef TESTS_UNIT_EXPORTS_SCENE_H
#define TESTS_UNIT_EXPORTS_SCENE_H

#include "app/embed.h"
#include "app/exports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/log.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum {
    SCENE_PATIENCE_MS = 20000,
};

/* The context of the test's own class of objects. */
struct probe_object {
    atomic_uint calls;
    atomic_uint destroyed;
    atomic_uint timeout_ms; /* of the last call */
    atomic_bool hold;       /* "slow" waits while this is set */
    atomic_bool running;    /* "slow" is in there */
    atomic_bool cancelled;  /* "slow" was told so, and left */
    atomic_uint status;     /* of "fail" */
    atomic_uint fate;
};

struct scene {
    struct app_log log;
    struct embed *embed; /* NULL: no broker here */
    struct exports *exports;
    struct busbar_client *client;
    struct probe_object probe;
};

int scene_open(void **state);
int scene_close(void **state);
#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, scene_open, scene_close)

/* An object whose calls are kept in the probe: methods "echo" (v>v), "raw" (y>y), "text" (s>s),
 * "none" (>l), "anything" (no signature), "slow" (>), "fail" (>), "null" (>y), "many" (>v). */
struct busbar_object *scene_object(struct scene *scene);

/* Adds an export of the object and destroys the test's reference. */
enum busbar_status scene_export(struct scene *scene, const struct export_settings *settings,
                                struct busbar_object *object);
/* The same of a scene_object, with defaults and success. */
void scene_export_named(struct scene *scene, const char *name);

void scene_ready(struct scene *scene);

/* Calls through the scene's broker; the reply is the caller's. */
struct busbar_reply *scene_call(struct scene *scene, const char *service, const char *method,
                                struct busbar_body body);
/* The status alone of a call without arguments. */
enum busbar_status scene_try(struct scene *scene, const char *service, const char *method);

/* One of the broker's counters, by name. */
uint64_t scene_counter(struct scene *scene, const char *name);

#define SCENE_EVENTUALLY(condition)                                                                \
    do {                                                                                           \
        uint64_t scene_until_ = clock_ms() + SCENE_PATIENCE_MS;                                    \
        while (!(condition)) {                                                                     \
            if (clock_ms() > scene_until_)                                                         \
                fail_msg("not in time: %s", #condition);                                           \
            usleep(2000);                                                                          \
        }                                                                                          \
    } while (0)

#endif
