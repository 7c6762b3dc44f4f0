/*
 * D4: peers that speak 0.2 behind an envelope, clients with one set of numbers for both directions and
 * no service in answers.
 *
 *   client   ∅ "MDPC02" 2 service body…          REQUEST
 *            ∅ "MDPC02" 3 body…                  PARTIAL, to it
 *            ∅ "MDPC02" 4 body…                  FINAL, to it
 *   worker   ∅ "MDPW02" and then as in 0.2
 */
#include "broker/majordomo.h"

const struct mdp_form mdp_d4 = {
    .dialect = MDP_DIALECT("MDP/0.2-D4"),
    .client = "MDPC02",
    .worker = "MDPW02",
    .enveloped = true,
    .client_request = 2,
    .client_partial = 3,
    .client_final = 4,
    .commands =
        {
            [MDP_READY] = 1,
            [MDP_REQUEST] = 2,
            [MDP_PARTIAL] = 3,
            [MDP_FINAL] = 4,
            [MDP_HEARTBEAT] = 5,
            [MDP_DISCONNECT] = 6,
        },
};
