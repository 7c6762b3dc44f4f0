/* Clients in store, last in, first out. */
#include "objects/lender.h"

#include <string.h>

void lender_init(struct lender *lender, const char *endpoint)
{
    lender->endpoint = endpoint;
    atomic_init(&lender->unwanted_til, 0);
    pthread_mutex_init(&lender->lock, NULL);
    lender->idle_count = 0;
}

void lender_fini(struct lender *lender)
{
    while (lender->idle_count > 0)
        busbar_client_destroy(&lender->idle[--lender->idle_count].client);
    pthread_mutex_destroy(&lender->lock);
}

/* With the lock held: the last one of its kind, NULL if there is none. */
static struct busbar_client *take_idle(struct lender *lender, uint32_t connect_ms)
{
    for (size_t i = lender->idle_count; i-- > 0;) {
        struct busbar_client *client = lender->idle[i].client;
        if (lender->idle[i].connect_ms != connect_ms)
            continue;
        memmove(&lender->idle[i], &lender->idle[i + 1],
                (lender->idle_count - i - 1) * sizeof lender->idle[0]);
        lender->idle_count--;
        return client;
    }
    return NULL;
}

enum busbar_status lender_take(struct lender *lender, struct lent *ret)
{
    pthread_mutex_lock(&lender->lock);
    ret->client = take_idle(lender, ret->connect_ms);
    pthread_mutex_unlock(&lender->lock);
    if (ret->client != NULL)
        return BUSBAR_OK;
    const struct busbar_client_options options = {
        .broker = lender->endpoint,
        .connect_timeout_ms = ret->connect_ms,
    };
    return busbar_client_new(&ret->client, &options);
}

void lender_give(struct lender *lender, struct lent *lent)
{
    pthread_mutex_lock(&lender->lock);
    if (lender->idle_count < LENDER_IDLE_MAX) {
        lender->idle[lender->idle_count++] = *lent;
        lent->client = NULL;
    }
    pthread_mutex_unlock(&lender->lock);
    busbar_client_destroy(&lent->client);
}
