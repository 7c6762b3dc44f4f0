/* What time does: deadlines pass, and paced workers may be given more again. */
#include "broker/router_end.h"

/* The list is in the order of its times. */
static void router_end_pacing(struct router *router, uint64_t now)
{
    struct list *first;
    while ((first = list_first(&router->paced)) != NULL) {
        struct peer *worker = CONTAINER_OF(first, struct peer, paced);
        if (now < worker->paced_until)
            return;
        list_remove(&worker->paced);
        router_serve(router, worker, now);
    }
}

uint64_t router_wait(const struct router *router, uint64_t now)
{
    uint64_t wait = wheel_wait(&router->wheel, now);
    const struct list *first = list_first(&router->paced);
    if (first == NULL)
        return wait;
    uint64_t until = CONTAINER_OF(first, struct peer, paced)->paced_until;
    uint64_t pacing = until > now ? until - now : 0;
    return pacing < wait ? pacing : wait;
}

void router_expire(struct router *router, uint64_t now)
{
    struct wheel_timer *timer;
    while ((timer = wheel_expired(&router->wheel, now)) != NULL) {
        struct call *call = CONTAINER_OF(timer, struct call, timer);
        if (call->attempts == 0) {
            router->counters->outcome_expired++;
            call_fail(router, call,
                      &(struct outcome){BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED,
                                        "the deadline passed before a worker was free"});
        } else {
            router->counters->outcome_timeout++;
            call_fail(router, call,
                      &(struct outcome){BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED,
                                        "the deadline passed before its worker answered"});
        }
    }
    router_end_pacing(router, now);
}
