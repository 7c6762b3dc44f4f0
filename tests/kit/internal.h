/* What the files of the kit know of each other, and tests do not. */
#ifndef TESTS_KIT_INTERNAL_H
#define TESTS_KIT_INTERNAL_H

#include "tests/kit/kit.h"

/* Ends all that runs, newest first; true if any of them showed a fault. */
bool kit_end_processes(struct kit *kit);

void kit_end_peers(struct kit *kit);
void kit_end_majordomos(struct kit *kit);

#endif
