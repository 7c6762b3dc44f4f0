/* Between the files of the random events. */
#ifndef TESTS_SIMULATION_EVENTS_H
#define TESTS_SIMULATION_EVENTS_H

#include "tests/simulation/world.h"

enum {
    PROFILE_CROWD = 5, /* one client and a few workers have very many calls */
    PROFILES,          /* ways in which peers may behave for a while */
};

void do_register(struct world *world, uint8_t peer);
void do_deregister(struct world *world, uint8_t peer);

#endif
