/*
 * MDP/0.2, of 18/MDP. Numbers are frames of one byte.
 *
 *   client   "MDPC02" 1 service body…            REQUEST
 *            "MDPC02" 2 service body…            PARTIAL, to it
 *            "MDPC02" 3 service body…            FINAL, to it
 *   worker   "MDPW02" 1 service                  READY
 *            "MDPW02" 2 client ∅ body…           REQUEST, to it
 *            "MDPW02" 3 client ∅ body…           PARTIAL
 *            "MDPW02" 4 client ∅ body…           FINAL
 *            "MDPW02" 5                          HEARTBEAT, both ways
 *            "MDPW02" 6                          DISCONNECT, both ways
 */
#include "broker/majordomo.h"

const struct mdp_form mdp_02 = {
    .dialect = MDP_DIALECT("MDP/0.2"),
    .client = "MDPC02",
    .worker = "MDPW02",
    .client_request = 1,
    .client_partial = 2,
    .client_final = 3,
    .names_service = true,
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
