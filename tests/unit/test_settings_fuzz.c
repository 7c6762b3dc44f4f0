/*
 * Random changes to configurations: nothing crashes, and whatever is accepted prints as what reads
 * back the same. BUSBAR_FUZZ_ROUNDS=N makes it longer, BUSBAR_FUZZ_SEED=N different.
 */
#include "broker/settings.h"

#include "base/cleanup.h"
#include "settings/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ROUNDS = 4000,
    TEXT_SIZE = 2048,
    CHANGES_MAX = 6,
};

static const char *const seeds[] = {
    "version: 1\nbind:\n  - tcp://127.0.0.1:7766\n  - {endpoint: ipc:///tmp/x}\n"
    "allow_plaintext: false\nbody_limit: 16 MiB\nheartbeat:\n  interval: 1s\n  liveness: 3\n",
    "queue: {calls: 100000, bytes: 256 MiB}\noutbox_bytes: 64 MiB\nretained_bytes: 0\n"
    "attempts: 3\nsession_limit: 0\nlog:\n  # comment\n  level: info\n",
    "bind: \"ipc://\\u00fc\\x41\\\"\\\\ \\n\"\nlog: {level: 'debug'}\n",
    "bind: [tcp://localhost:*, 'ipc://@a', \"inproc://b\", tcp://[::1]:1]\nattempts: 1\n",
    "services: {a: {balance: sticky}, 'b*': {queue: {calls: 1, age: 2s}}}\nretry: {budget: 0}\n",
    "? attempts\n: 2\nbind: |\n  ipc://x\nlog: {level: >-\n  info}\n--- &a *a !!t\n...\n",
};

static const char *const pieces[] = {
    "\n",         " ",       ":",     ": ",   "- ",       "[",
    "]",          "{",       "}",     ",",    "\"",       "'",
    "#",          "&a ",     "*a",    "!x ",  "|\n",      ">\n",
    "? ",         "---\n",   "...\n", "%Y\n", "\t",       "~",
    "1",          "99",      "ms",    "KiB",  "endpoint", "bind",
    "attempts: ", "\\u0000", "\\",    "\xff", "\xc3\xbc", "\xe2\x80\xa8",
    "\r\n",       "\x01",    "null",  "true", "tcp://",   "ipc://x",
    "<<",         "$",       "$$",    "${",   "}",        "${HOME}",
    "${A:-x}",    "$${",
};

/* xorshift64*, so that a seed means the same rounds everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(next_random(state) % limit);
}

/* Cuts `cut` bytes at `at` and puts a piece there; nothing if it would not fit. */
static size_t splice(char *text, size_t size, size_t at, size_t cut, const char *piece)
{
    size_t length = strlen(piece);
    if (cut > size - at)
        cut = size - at;
    if (size - cut + length > TEXT_SIZE)
        return size;
    memmove(text + at + length, text + at + cut, size - at - cut);
    memcpy(text + at, piece, length);
    return size - cut + length;
}

static size_t change(char *text, size_t size, uint64_t *state)
{
    size_t at = below(state, size + 1);
    const char *piece = pieces[below(state, ARRAY_SIZE(pieces))];
    switch (below(state, 4)) {
    case 0:
        return splice(text, size, at, 0, piece);
    case 1:
        return splice(text, size, at, strlen(piece), piece);
    case 2:
        return splice(text, size, at, 1 + below(state, 8), "");
    default:
        if (at < size)
            text[at] = (char)next_random(state);
        return size;
    }
}

/* True if it was accepted; errors say something in any case. */
static bool load(struct broker_settings *settings, const char *data, size_t size)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    struct settings_errors errors;
    /* A copy of just this size, for AddressSanitizer to watch its end. */
    CLEANUP(cleanup_free) char *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    struct settings_text text = {.name = "f", .data = copy, .size = size};
    settings_errors_init(&errors);
    assert_int_equal(broker_settings_init(settings), BUSBAR_OK);
    bool good = settings_document_parse(&document, &text, &errors);
    assert_true(good || errors.count > 0);
    if (document != NULL)
        good = settings_document_replace_variables(document, &errors) && good;
    if (document != NULL)
        good = broker_settings_read(settings, document->root, &errors) == BUSBAR_OK && good;
    if (document != NULL)
        good = broker_settings_check(settings, document->root, &errors) == BUSBAR_OK && good;
    assert_int_equal(good, errors.count == 0);
    settings_errors_fini(&errors);
    return good;
}

static char *dump(const struct broker_settings *settings, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    assert_non_null(out);
    broker_settings_dump(settings, out);
    fclose(out);
    return text;
}

static bool run_round(uint64_t *state)
{
    char text[TEXT_SIZE];
    const char *seed = seeds[below(state, ARRAY_SIZE(seeds))];
    size_t size = strlen(seed);
    memcpy(text, seed, size);
    for (size_t changes = below(state, CHANGES_MAX); changes > 0; changes--)
        size = change(text, size, state);
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    CLEANUP(broker_settings_fini) struct broker_settings again = {0};
    if (!load(&settings, text, size))
        return false;
    size_t dumped_size;
    size_t dumped_again_size;
    CLEANUP(cleanup_free) char *dumped = dump(&settings, &dumped_size);
    assert_true(load(&again, dumped, dumped_size));
    CLEANUP(cleanup_free) char *dumped_again = dump(&again, &dumped_again_size);
    assert_string_equal(dumped, dumped_again);
    return true;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void random_configurations_are_read_or_refused(void **state)
{
    (void)state;
    uint64_t random = number_of("BUSBAR_FUZZ_SEED", 20261121);
    uint64_t rounds = number_of("BUSBAR_FUZZ_ROUNDS", ROUNDS);
    size_t accepted = 0;
    print_message("seed %llu\n", (unsigned long long)random);
    for (uint64_t i = 0; i < rounds; i++)
        accepted += run_round(&random);
    print_message("accepted %zu\n", accepted);
    assert_true(accepted > 0 && accepted < rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_configurations_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
