/*
 * MDP/0.1, of 7/MDP. Numbers are frames of one byte.
 *
 *   client   ∅ "MDPC01" service body…            and the same back
 *   worker   ∅ "MDPW01" 1 service                READY
 *            ∅ "MDPW01" 2 client ∅ body…         REQUEST, to it
 *            ∅ "MDPW01" 3 client ∅ body…         REPLY
 *            ∅ "MDPW01" 4                        HEARTBEAT, both ways
 *            ∅ "MDPW01" 5                        DISCONNECT, both ways
 */
#include "broker/majordomo.h"

const struct mdp_form mdp_01 = {
    .dialect = MDP_DIALECT("MDP/0.1"),
    .client = "MDPC01",
    .worker = "MDPW01",
    .enveloped = true,
    .names_service = true,
    .commands =
        {
            [MDP_READY] = 1,
            [MDP_REQUEST] = 2,
            [MDP_FINAL] = 3,
            [MDP_HEARTBEAT] = 4,
            [MDP_DISCONNECT] = 5,
        },
};
