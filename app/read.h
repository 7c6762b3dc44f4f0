/* From a file to a wiring. */
#ifndef APP_READ_H
#define APP_READ_H

#include "app/log.h"
#include "app/wiring.h"

struct wiring_source {
    const char *path; /* "-" is stdin */
    struct app_log *log;
    bool take_levels;  /* the file's levels hold from the moment they are known */
    bool refuse_empty; /* a file that says nothing at all is an error */
};

/*
 * Reads a file and all it names, makes its objects and gives them to each other; attaches nothing
 * to brokers. On failure BAD_CONFIG, the outcome of the thread with all errors, and nothing is left.
 */
enum busbar_status wiring_read(struct wiring *ret, const struct wiring_source *source)
    __attribute__((warn_unused_result));

/* The levels of a file, or warning where it has none. */
void levels_apply(struct app_log *log, const struct log_settings *levels);

#endif
