#include "objects/outcome.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/slots.h"

/* What a thread has of this library; all zero at its beginning, and again at its end. */
struct thread {
    enum busbar_status status;
    enum busbar_fate fate;   /* of a failure */
    bool ends;               /* the end of the thread will free what follows */
    char *text;              /* of a failure; NULL when out of memory */
    struct slot_table slots; /* results until the next call */
};

static _Thread_local struct thread this_thread;

/* The key serves to be told of the end of a thread. */
static pthread_once_t end_once = PTHREAD_ONCE_INIT;
static pthread_key_t end_key;
static bool end_is_known;

static void thread_end(void *unused)
{
    (void)unused;
    struct thread *thread = &this_thread;
    free(thread->text);
    slot_table_fini(&thread->slots);
    *thread = (struct thread){0};
}

static void end_make_key(void)
{
    end_is_known = pthread_key_create(&end_key, thread_end) == 0;
}

/* The library is being closed, or the process ends: no thread may come back to its code. */
__attribute__((destructor)) static void end_delete_key(void)
{
    thread_end(NULL);
    if (end_is_known)
        pthread_key_delete(end_key);
}

/* Before something is allocated for this thread; false: it cannot be, since nobody would free it. */
static bool thread_will_end(void)
{
    if (this_thread.ends)
        return true;
    pthread_once(&end_once, end_make_key);
    this_thread.ends = end_is_known && pthread_setspecific(end_key, &this_thread) == 0;
    return this_thread.ends;
}

enum busbar_status outcome_ok(void)
{
    this_thread.status = BUSBAR_OK;
    return BUSBAR_OK;
}

/* Takes the text, which may be NULL. */
static enum busbar_status fail(enum busbar_status status, enum busbar_fate fate, char *text)
{
    struct thread *thread = &this_thread;
    if (!thread_will_end())
        free(STEAL(text));
    free(thread->text);
    thread->text = text;
    thread->status = status;
    thread->fate = fate;
    return status;
}

enum busbar_status outcome_fail_text(enum busbar_status status, enum busbar_fate fate,
                                     const char *text)
{
    return fail(status, fate, strdup(text));
}

/* The text may be made of the present one, so that goes last. */
enum busbar_status busbar_fail(enum busbar_status status, enum busbar_fate fate, const char *format,
                               ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return fail(status, fate, text);
}

enum busbar_status outcome_prefix(const char *format, ...)
{
    char *prefix = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&prefix, format, arguments) < 0)
        prefix = NULL;
    va_end(arguments);
    enum busbar_status status = this_thread.status;
    char *text = NULL;
    if (status != BUSBAR_OK && prefix != NULL &&
        strncmp(busbar_last_error(), prefix, strlen(prefix)) != 0 &&
        asprintf(&text, "%s%s", prefix, busbar_last_error()) >= 0)
        fail(status, this_thread.fate, text);
    free(prefix);
    return status;
}

void outcome_doubt(void)
{
    struct thread *thread = &this_thread;
    if (thread->status != BUSBAR_OK && thread->fate == BUSBAR_NOT_EXECUTED)
        thread->fate = BUSBAR_MAYBE_EXECUTED;
}

enum busbar_status busbar_last_status(void)
{
    return this_thread.status;
}

enum busbar_fate busbar_last_fate(void)
{
    return this_thread.status == BUSBAR_OK ? BUSBAR_EXECUTED : this_thread.fate;
}

const char *busbar_last_error(void)
{
    const struct thread *thread = &this_thread;
    if (thread->status == BUSBAR_OK)
        return "";
    return thread->text != NULL ? thread->text : busbar_status_text(thread->status);
}

bool outcome_keep(struct outcome_slots *owner, void *memory)
{
    if (memory != NULL && !thread_will_end()) {
        free(memory);
        return false;
    }
    return slot_table_keep(&this_thread.slots, owner, memory);
}
