/* Which statuses a worker may end a call with by an ERROR, and which fates go with each. */
#ifndef PROTOCOL_WORKER_ERROR_H
#define PROTOCOL_WORKER_ERROR_H

#include <busbar/status.h>
#include <stdint.h>

struct worker_error {
    enum busbar_status status;
    enum busbar_fate fate;
};

/*
 * What becomes of the status and the fate that a worker tells, as docs/protocol.md 9.4 has it: any
 * status that is not passed on is an APP_ERROR, and the fate is never less than is known.
 */
struct worker_error worker_error_of(uint8_t status, uint8_t fate);

#endif
