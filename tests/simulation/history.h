/* The last events of a run, written down cheaply and read only when the run fails. */
#ifndef TESTS_SIMULATION_HISTORY_H
#define TESTS_SIMULATION_HISTORY_H

#include <stdint.h>

/* A run begins: what failures are to be replayed with. */
void history_begin(uint64_t seed);

/* The number of the event that what follows belongs to. */
void history_event(uint64_t number);
uint64_t history_number(void);

/* `format` must be a literal with at most four %llu. */
void history_add(const char *format, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Prints why, the seed, the event and the last events, and ends the program as failed. */
void history_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The same when the router itself gives up by SIGABRT. */
void history_catch_abort(void);

#endif
