/* Between the files of the random events. */
#ifndef TESTS_SIMULATION_EVENTS_H
#define TESTS_SIMULATION_EVENTS_H

#include "tests/simulation/world.h"

enum {
    PROFILE_CROWD = 5, /* one client and a few workers have very many calls */
    PROFILES,          /* ways in which peers may behave for a while */
};

/* clients.c */
void do_call(struct world *world, uint8_t peer);
void do_cancel(struct world *world, uint8_t peer);
void do_grant(struct world *world, uint8_t peer);
void do_congest(struct world *world, uint8_t peer);

/* workers.c */
void do_answer(struct world *world, uint8_t peer);
void do_return(struct world *world, uint8_t peer);
void do_part(struct world *world, uint8_t peer);
void do_progress(struct world *world, uint8_t peer);
void do_forge(struct world *world, uint8_t peer);
void do_credit(struct world *world, uint8_t peer);
void do_leave(struct world *world, uint8_t peer);
void do_fill(struct world *world, uint8_t peer);

/* registering.c */
void do_register(struct world *world, uint8_t peer);
void do_deregister(struct world *world, uint8_t peer);
void do_drain(struct world *world, uint8_t peer);

#endif
