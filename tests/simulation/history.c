/* A ring of lines not yet formatted. */
#include "tests/simulation/history.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LINES = 512,
    EVENTS_SHOWN = 40,
};

struct line {
    uint64_t event;
    const char *format;
    uint64_t argument[4];
};

static struct {
    uint64_t seed;
    uint64_t event;
    uint64_t lines;
    struct line ring[LINES];
} history;

void history_begin(uint64_t seed)
{
    history.seed = seed;
    history.event = 0;
    history.lines = 0;
}

void history_event(uint64_t number)
{
    history.event = number;
}

uint64_t history_number(void)
{
    return history.event;
}

void history_add(const char *format, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    history.ring[history.lines++ % LINES] = (struct line){
        .event = history.event, .format = format, .argument = {a, b, c, d}};
}

static void line_print(const struct line *line)
{
    unsigned long long argument[4];
    for (int i = 0; i < 4; i++)
        argument[i] = line->argument[i];
    printf("%10llu  ", (unsigned long long)line->event);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    printf(line->format, argument[0], argument[1], argument[2], argument[3]);
#pragma GCC diagnostic pop
    putchar('\n');
}

static void history_print(void)
{
    uint64_t first = history.lines < LINES ? 0 : history.lines - LINES;
    for (uint64_t i = first; i < history.lines; i++) {
        const struct line *line = &history.ring[i % LINES];
        if (line->event + EVENTS_SHOWN > history.event)
            line_print(line);
    }
    printf("seed %llu, event %llu: replay with BUSBAR_SEED=%llu BUSBAR_EVENTS=%llu\n",
           (unsigned long long)history.seed, (unsigned long long)history.event,
           (unsigned long long)history.seed, (unsigned long long)history.event);
}

void history_fail(const char *format, ...)
{
    va_list arguments;
    history_print();
    printf("not ok - event %llu: ", (unsigned long long)history.event);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    _exit(1);
}

static void aborted(int number)
{
    (void)number;
    history_fail("the router gave up by itself (see above)");
}

void history_catch_abort(void)
{
    struct sigaction action = {.sa_handler = aborted, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGABRT, &action, NULL);
#ifndef __SANITIZE_ADDRESS__ /* which has a better report of its own */
    sigaction(SIGSEGV, &action, NULL);
#endif
}
