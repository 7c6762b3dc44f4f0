/* What the tests of applications share: files in a directory of their own, dumps, the log. */
#ifndef TESTS_UNIT_APP_RIG_H
#define TESTS_UNIT_APP_RIG_H

#include <busbar/app.h>

/* For cmocka's setup and teardown: a new directory, which is the present one; and no variables that
 * an application would look at. */
int rig_enter(void **state);
int rig_leave(void **state);

void rig_write(const char *name, const char *text);

/* Applications of a file "f" with this text; fail the test if that is not good. */
struct busbar_app *rig_read(const char *text);
struct busbar_app *rig_load(const char *text);

/* For free(). */
char *rig_dump(const struct busbar_app *app);

/* stderr goes to a file until the end, which returns what was written, for free(). */
void rig_capture(void);
char *rig_captured(void);

/* A library with the method "f", which is this function of libm, from double to double. */
#define RIG_LIBRARY(function)                                                                      \
    "{library: libm.so.6, functions: {f: {symbol: " function ", signature: \"d>d\"}}}"

/* What "f" of an object returns for a number; NaN if the call fails. */
double rig_call(struct busbar_object *object, double number);

/* The same over the bus, of a service at the application's broker. */
double rig_call_service(const struct busbar_app *app, const char *service, double number);

#endif
