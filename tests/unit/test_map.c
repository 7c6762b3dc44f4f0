#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct entry {
    struct map_node node;
    unsigned key;
    bool present;
    unsigned seen;
};

static struct entry *find(const struct map *map, unsigned key, uint64_t hash)
{
    for (struct map_node *node = map_first(map, hash); node != NULL; node = map_next(node)) {
        struct entry *entry = CONTAINER_OF(node, struct entry, node);
        assert_true(node->hash == hash); /* others of the bucket are passed over */
        if (entry->key == key)
            return entry;
    }
    return NULL;
}

static uint64_t good_hash(unsigned key)
{
    uint64_t hash = (key + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t same_hash(unsigned key)
{
    (void)key;
    return 5;
}

/* Another hash in the same bucket, however many there are. */
static uint64_t same_bucket(unsigned key)
{
    return (uint64_t)key << 40 | 3;
}

/* Two keys to a hash. */
static uint64_t paired_hash(unsigned key)
{
    return key / 2;
}

static uint64_t (*const HASHES[])(unsigned key) = {good_hash, same_hash, same_bucket, paired_hash};

enum {
    KEYS = 600,
    ROUNDS = 6000,
};

static void check_walk(const struct map *map, struct entry *entries)
{
    size_t count = 0;
    for (unsigned key = 0; key < KEYS; key++)
        entries[key].seen = 0;
    for (struct map_node *node = map_walk(map, NULL); node != NULL; node = map_walk(map, node)) {
        CONTAINER_OF(node, struct entry, node)->seen++;
        count++;
    }
    assert_int_equal(count, map->count);
    for (unsigned key = 0; key < KEYS; key++)
        assert_int_equal(entries[key].seen, entries[key].present);
}

static void toggle(struct map *map, struct entry *entry, uint64_t hash)
{
    if (entry->present)
        map_remove(map, &entry->node);
    else
        map_insert(map, &entry->node, hash);
    entry->present = !entry->present;
}

static void the_map_holds_what_a_table_of_flags_holds(void **state)
{
    (void)state;
    for (size_t h = 0; h < ARRAY_SIZE(HASHES); h++) {
        CLEANUP(cleanup_free) struct entry *entries = calloc(KEYS, sizeof *entries);
        struct map map;
        uint32_t seed = 12345;
        assert_true(map_init(&map));
        for (unsigned round = 0; round < ROUNDS; round++) {
            seed = seed * 1664525 + 1013904223;
            unsigned key = (seed >> 8) % KEYS;
            entries[key].key = key;
            struct entry *found = find(&map, key, HASHES[h](key));
            assert_ptr_equal(found, entries[key].present ? &entries[key] : NULL);
            toggle(&map, &entries[key], HASHES[h](key));
            if (round % 500 == 0)
                check_walk(&map, entries);
        }
        for (unsigned key = 0; key < KEYS; key++) {
            if (entries[key].present)
                toggle(&map, &entries[key], 0);
        }
        assert_int_equal(map.count, 0);
        assert_null(map_walk(&map, NULL));
        map_fini(&map);
    }
}

static void the_map_grows_so_that_chains_stay_short(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) struct entry *entries = calloc(KEYS, sizeof *entries);
    struct map map;
    assert_true(map_init(&map));
    for (unsigned key = 0; key < KEYS; key++) {
        entries[key].key = key;
        map_insert(&map, &entries[key].node, good_hash(key));
        assert_true(map.count <= map.mask + 1);
        assert_int_equal((map.mask + 1) & map.mask, 0);
    }
    for (unsigned key = 0; key < KEYS; key++)
        assert_ptr_equal(find(&map, key, good_hash(key)), &entries[key]);
    for (unsigned key = 0; key < KEYS; key++)
        map_remove(&map, &entries[key].node);
    map_fini(&map);
}

static void finishing_a_map_twice_is_harmless(void **state)
{
    (void)state;
    struct map map;
    assert_true(map_init(&map));
    map_fini(&map);
    map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_holds_what_a_table_of_flags_holds),
        cmocka_unit_test(the_map_grows_so_that_chains_stay_short),
        cmocka_unit_test(finishing_a_map_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
