/*
 * D1: peers that call themselves 0.2 and speak 0.1 with its strings. There is one kind of reply.
 *
 *   client   ∅ "MDPC02" service body…            and the same back
 *   worker   ∅ "MDPW02" 1 service                READY
 *            ∅ "MDPW02" 2 client ∅ body…         REQUEST, to it
 *            ∅ "MDPW02" 3 client ∅ body…         REPLY
 *            ∅ "MDPW02" 4                        HEARTBEAT, both ways
 *            ∅ "MDPW02" 5                        DISCONNECT, both ways
 */
#include "broker/majordomo.h"

const struct mdp_form mdp_d1 = {
    .dialect = MDP_DIALECT("MDP/0.2-D1"),
    .client = "MDPC02",
    .worker = "MDPW02",
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
