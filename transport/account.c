/* Counted by the loop, and by libzmq's I/O threads as they let go. */
#include "transport/account.h"

#include <stdlib.h>

#include "base/cleanup.h"

struct account *account_new(void)
{
    struct account *account = calloc(1, sizeof *account);
    if (account != NULL)
        account->references = 1;
    return account;
}

void account_unref(struct account *account)
{
    if (atomic_fetch_sub(&account->references, 1) == 1)
        free(account);
}

void account_add(struct account *account, size_t bytes)
{
    atomic_fetch_add(&account->references, 1);
    atomic_fetch_add(&account->bytes, bytes);
}

void account_drop(struct account *account, size_t bytes)
{
    atomic_fetch_sub(&account->bytes, bytes);
    account_unref(account);
}

struct held {
    struct blob blob;
    struct blob *whole;
    struct account *account;
};

static void held_release(struct blob *blob)
{
    struct held *held = CONTAINER_OF(blob, struct held, blob);
    account_drop(held->account, blob->size);
    blob_unref(&held->whole);
    free(held);
}

struct blob *account_hold(struct account *account, struct blob *blob, struct bytes run)
{
    struct held *held = malloc(sizeof *held);
    if (held == NULL)
        return NULL;
    held->blob = (struct blob){
        .references = 1, .data = run.data, .size = run.size, .release = held_release};
    held->whole = blob_ref(blob);
    held->account = account;
    account_add(account, run.size);
    return &held->blob;
}
