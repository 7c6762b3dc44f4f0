/* What libzmq holds for one peer, in bytes; lives until it holds nothing and the owner is done. */
#ifndef TRANSPORT_ACCOUNT_H
#define TRANSPORT_ACCOUNT_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/blob.h"
#include "protocol/packet.h"

struct account {
    atomic_size_t references; /* the owner, and everything that libzmq holds */
    atomic_size_t bytes;
};

/* With one reference, its owner's; NULL when out of memory. */
struct account *account_new(void);
void account_unref(struct account *account);

/* libzmq is given bytes that it tells the end of, on whichever thread. */
void account_add(struct account *account, size_t bytes);
void account_drop(struct account *account, size_t bytes);

/* A run of a blob's bytes as a blob whose end is told to the account; NULL when out of memory. */
struct blob *account_hold(struct account *account, struct blob *blob, struct bytes run);

#endif
