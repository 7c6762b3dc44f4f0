/* What the tests of applications share: files in a directory of their own, dumps, the log. */
#include "tests/unit/app_rig.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/busbar-app-XXXXXX";
static int former_stderr = -1;

int rig_enter(void **state)
{
    (void)state;
    unsetenv("BUSBAR_LOG");
    unsetenv("BUSBAR_BROKER");
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    return mkdtemp(directory) != NULL && chdir(directory) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

int rig_leave(void **state)
{
    (void)state;
    if (chdir("/") != 0)
        return -1;
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void rig_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static struct busbar_app *make(const char *text,
                               enum busbar_status (*by)(struct busbar_app **ret, const char *path))
{
    struct busbar_app *app = NULL;
    rig_write("f", text);
    if (by(&app, "f") != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    assert_non_null(app);
    return app;
}

struct busbar_app *rig_read(const char *text)
{
    return make(text, busbar_app_read);
}

struct busbar_app *rig_load(const char *text)
{
    return make(text, busbar_app_load);
}

char *rig_dump(const struct busbar_app *app)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    busbar_app_dump(app, out);
    fclose(out);
    return text;
}

void rig_capture(void)
{
    int file = open("stderr", O_CREAT | O_TRUNC | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    fflush(stderr);
    former_stderr = dup(STDERR_FILENO);
    assert_true(file >= 0 && former_stderr >= 0);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    close(file);
}

char *rig_captured(void)
{
    char *text = NULL;
    size_t size = 0;
    fflush(stderr);
    assert_true(dup2(former_stderr, STDERR_FILENO) >= 0);
    close(former_stderr);
    FILE *file = fopen("stderr", "r");
    assert_non_null(file);
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

double rig_call(struct busbar_object *object, double number)
{
    struct busbar_value *value = NULL;
    double result = NAN;
    if (busbar_call(object, "f", &value, "d", number) == BUSBAR_OK)
        result = busbar_value_as_double(value);
    busbar_value_destroy(&value);
    return result;
}

double rig_call_service(const struct busbar_app *app, const char *service, double number)
{
    const char *const brokers[] = {busbar_app_broker(app), NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    double result = rig_call(proxy, number);
    busbar_object_destroy(&proxy);
    return result;
}
