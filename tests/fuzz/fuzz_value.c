/* MessagePack values and registrations: what is accepted can be encoded and is then the same. */
#include <busbar/value.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "protocol/registration.h"
#include "seeds.h"

const char fuzz_subject[] = "the reading of values and registrations";

struct fuzz_seed fuzz_seed_at(size_t index)
{
    static const char *const FILES[] = {"tests/vectors/registrations.txt",
                                        "tests/vectors/values.txt"};
    return seeds_at(FILES, ARRAY_SIZE(FILES), index);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void try_value(const uint8_t *data, size_t size)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *again = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *copy = NULL;
    CLEANUP(cleanup_free) void *encoded = NULL;
    size_t encoded_size = 0;
    const char *reason = NULL;
    enum busbar_status status = busbar_value_decode(&value, data, size, &reason);
    if (status != BUSBAR_OK) {
        check(status == BUSBAR_BAD_REQUEST && reason != NULL && value == NULL);
        return;
    }
    check(busbar_value_encode(value, &encoded, &encoded_size) == BUSBAR_OK);
    check(busbar_value_decode(&again, encoded, encoded_size, NULL) == BUSBAR_OK);
    check(busbar_value_equal(value, again));
    copy = busbar_value_copy(value);
    check(copy != NULL && busbar_value_equal(value, copy));
}

static void try_registration(const uint8_t *data, size_t size)
{
    CLEANUP(registration_fini) struct registration read = {0};
    CLEANUP(registration_fini) struct registration again = {0};
    CLEANUP(cleanup_free) void *encoded = NULL;
    size_t encoded_size = 0;
    const char *reason = NULL;
    if (registration_decode(&read, data, size, &reason) != BUSBAR_OK) {
        check(reason != NULL && read.methods == NULL);
        return;
    }
    check(registration_encode(&read, &encoded, &encoded_size) == BUSBAR_OK);
    check(registration_decode(&again, encoded, encoded_size, NULL) == BUSBAR_OK);
    check(again.method_count == read.method_count && again.tag_count == read.tag_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_value(data, size);
    try_registration(data, size);
    return 0;
}
