/* The table of a worker's statuses; those of calls that its handler made are among them. */
#include "protocol/worker_error.h"

#include <stddef.h>

#include "base/cleanup.h"

static const struct worker_error PASSED_ON[] = {
    {BUSBAR_APP_ERROR, BUSBAR_EXECUTED},       {BUSBAR_RESULT_TOO_LARGE, BUSBAR_EXECUTED},
    {BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED}, {BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED},
    {BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED},     {BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED},
    {BUSBAR_NO_MEMBERS, BUSBAR_NOT_EXECUTED},  {BUSBAR_BUSY, BUSBAR_NOT_EXECUTED},
    {BUSBAR_DENIED, BUSBAR_NOT_EXECUTED},      {BUSBAR_TOO_LARGE, BUSBAR_NOT_EXECUTED},
    {BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED},    {BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED},
    {BUSBAR_LOOP, BUSBAR_NOT_EXECUTED},        {BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED},
    {BUSBAR_POISONED, BUSBAR_MAYBE_EXECUTED},  {BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED},
    {BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED},
};

struct worker_error worker_error_of(uint8_t status, uint8_t fate)
{
    for (size_t i = 0; i < ARRAY_SIZE(PASSED_ON); i++) {
        if (status != PASSED_ON[i].status)
            continue;
        struct worker_error error = PASSED_ON[i];
        if (error.fate == BUSBAR_NOT_EXECUTED && fate != BUSBAR_NOT_EXECUTED)
            error.fate = BUSBAR_MAYBE_EXECUTED;
        return error;
    }
    return (struct worker_error){BUSBAR_APP_ERROR, BUSBAR_EXECUTED};
}
