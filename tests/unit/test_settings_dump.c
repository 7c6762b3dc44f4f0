/*
 * What is printed reads back the same, for random structs with the texts that YAML makes most of.
 * BUSBAR_FUZZ_ROUNDS=N makes it longer, BUSBAR_FUZZ_SEED=N different.
 */
#include "settings/text.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"
#include "tests/unit/settings_things.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ROUNDS = 2000,
    PIECES_MAX = 5,
    TEXT_SIZE = 2048,
};

static const char *const pieces[] = {
    "true",
    "false",
    "null",
    "~",
    "12",
    "0",
    "1.5",
    "0x1f",
    "1e3",
    "-1",
    "",
    " ",
    ":",
    ": ",
    " #",
    "#",
    "$",
    "$$",
    "${",
    "}",
    "${A}",
    "${A:-b}",
    "{",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "a",
    "b c",
    "- ",
    "? ",
    "|",
    ">",
    "%",
    "@",
    "`",
    "&x",
    "*x",
    "!y",
    "---",
    "...",
    "\x01",
    "\x7f",
    "\xc2\x85",
    "\xc3\xbc",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xef\xbf\xbe",
    "\xf0\x9f\x98\x80",
    "no",
    "<<",
    "=",
    ".inf",
    "12:30:45",
    "2026-01-01",
    "tcp://[::1]:*",
    "/a.so",
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
    return (size_t)(next_random(state) >> 32) % limit;
}

static char *random_text(uint64_t *state)
{
    char text[TEXT_SIZE] = "";
    for (size_t left = below(state, PIECES_MAX); left > 0; left--)
        strcat(text, pieces[below(state, ARRAY_SIZE(pieces))]);
    if (below(state, 50) == 0) {
        size_t length = strlen(text);
        memset(text + length, 'k', 1000);
        text[length + 1000] = '\0';
    }
    return strdup(text);
}

static char *random_word(uint64_t *state, const char *prefix)
{
    char *text = random_text(state);
    char *word = NULL;
    assert_true(asprintf(&word, "%s%s", prefix, text) >= 0);
    free(text);
    return word;
}

static char *maybe_text(uint64_t *state)
{
    return below(state, 2) == 0 ? NULL : random_text(state);
}

static struct text *random_texts(uint64_t *state, size_t *count, size_t least, size_t most)
{
    *count = least + below(state, most - least + 1);
    struct text *texts = calloc(*count + 1, sizeof *texts);
    for (size_t i = 0; i < *count; i++)
        texts[i].text = random_word(state, below(state, 2) == 0 ? "x" : "~");
    return texts;
}

static struct function *random_functions(uint64_t *state, size_t *count)
{
    static const char *const names[] = {"get_data", "true", "null"};
    *count = below(state, ARRAY_SIZE(names) + 1);
    struct function *functions = calloc(*count + 1, sizeof *functions);
    for (size_t i = 0; i < *count; i++) {
        functions[i].name = strdup(names[i]);
        functions[i].symbol = maybe_text(state);
        functions[i].signature = random_text(state);
        functions[i].idempotent = below(state, 3) == 0;
    }
    return functions;
}

static struct pair *random_pairs(uint64_t *state, size_t *count)
{
    static const char *const prefixes[] = {"", "A", "$B", "3"};
    *count = below(state, ARRAY_SIZE(prefixes) + 1);
    struct pair *pairs = calloc(*count + 1, sizeof *pairs);
    for (size_t i = 0; i < *count; i++) {
        /* The number at the end makes them different; the first may be any text. */
        char *word = random_word(state, prefixes[i]);
        assert_true(asprintf(&pairs[i].name, i == 0 ? "%s" : "%s%zu", word, i) >= 0);
        free(word);
        pairs[i].value = maybe_text(state);
    }
    return pairs;
}

static struct broker *random_brokers(uint64_t *state, size_t *count)
{
    *count = below(state, 3);
    struct broker *brokers = calloc(*count + 1, sizeof *brokers);
    for (size_t i = 0; i < *count; i++) {
        brokers[i].endpoint = maybe_text(state);
        brokers[i].embed = maybe_text(state);
    }
    return brokers;
}

/* `full`: also what may not be missing from the explained form, which shows everything. */
static void random_things(uint64_t *state, struct things *things, bool full)
{
    *things = (struct things){0};
    if (full || below(state, 2) == 0)
        things->proxy.service = random_word(state, "x");
    things->proxy.timeout = things->proxy.service != NULL ? 4998 + (uint32_t)below(state, 4) : 5000;
    things->pool.members = random_texts(state, &things->pool.member_count, 0, 3);
    things->pool.probe = below(state, 2) == 0 ? 250 : (uint32_t)next_random(state);
    things->command = random_texts(state, &things->command_count, full ? 1 : 0, 2);
    things->functions = random_functions(state, &things->function_count);
    things->environment = random_pairs(state, &things->environment_count);
    things->brokers = random_brokers(state, &things->broker_count);
    things->log.level = (enum level)below(state, 3);
    things->log.objects = (enum level)below(state, 3);
}

static void assert_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL)
        assert_string_equal(a, b);
}

static void assert_texts(const struct text *a, const struct text *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_text(a[i].text, b[i].text);
}

static void assert_same(const struct things *a, const struct things *b)
{
    assert_text(a->proxy.service, b->proxy.service);
    assert_int_equal(a->proxy.timeout, b->proxy.timeout);
    assert_int_equal(a->pool.member_count, b->pool.member_count);
    assert_texts(a->pool.members, b->pool.members, a->pool.member_count);
    assert_int_equal(a->pool.probe, b->pool.probe);
    assert_int_equal(a->command_count, b->command_count);
    assert_texts(a->command, b->command, a->command_count);
    assert_int_equal(a->function_count, b->function_count);
    for (size_t i = 0; i < a->function_count; i++) {
        assert_text(a->functions[i].name, b->functions[i].name);
        assert_text(a->functions[i].symbol, b->functions[i].symbol);
        assert_text(a->functions[i].signature, b->functions[i].signature);
        assert_int_equal(a->functions[i].idempotent, b->functions[i].idempotent);
    }
    assert_int_equal(a->environment_count, b->environment_count);
    for (size_t i = 0; i < a->environment_count; i++) {
        assert_text(a->environment[i].name, b->environment[i].name);
        assert_text(a->environment[i].value, b->environment[i].value);
    }
    assert_int_equal(a->broker_count, b->broker_count);
    for (size_t i = 0; i < a->broker_count; i++) {
        assert_text(a->brokers[i].endpoint, b->brokers[i].endpoint);
        assert_text(a->brokers[i].embed, b->brokers[i].embed);
    }
    assert_int_equal(a->log.level, b->log.level);
    assert_int_equal(a->log.objects, b->log.objects);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void random_things_read_back_as_printed(void **state)
{
    (void)state;
    uint64_t random = number_of("BUSBAR_FUZZ_SEED", 20261122);
    uint64_t rounds = number_of("BUSBAR_FUZZ_ROUNDS", ROUNDS);
    for (uint64_t i = 0; i < rounds; i++) {
        CLEANUP(things_fini) struct things things;
        CLEANUP(things_fini) struct things again = {0};
        bool full = i % 2 == 0;
        random_things(&random, &things, full);
        CLEANUP(cleanup_free)
        char *text = full ? things_dump(&things) : things_dump_bare(&things, (unsigned)(i % 7));
        things_read_good(&again, text);
        assert_same(&things, &again);
    }
}

/* Text and how it is written as a value and as a key. */
static const struct {
    const char *text;
    const char *value;
    const char *key;
} written[] = {
    {"", "\"\"", "\"\""},
    {"abc", "abc", "abc"},
    {"a-b_c.d/e:f", "a-b_c.d/e:f", "a-b_c.d/e:f"},
    {"tcp://127.0.0.1:7766", "tcp://127.0.0.1:7766", "tcp://127.0.0.1:7766"},
    {"1.2.3", "1.2.3", "1.2.3"},
    {"3s", "3s", "3s"},
    {"1a", "1a", "1a"},
    {"e5", "e5", "e5"},
    {"0b", "0b", "0b"},
    {"1e", "1e", "1e"},
    {"nullable", "nullable", "nullable"},
    {"true", "\"true\"", "\"true\""},
    {"No", "\"No\"", "\"No\""},
    {"null", "\"null\"", "\"null\""},
    {"12", "\"12\"", "\"12\""},
    {"1.5", "\"1.5\"", "\"1.5\""},
    {".5", "\".5\"", "\".5\""},
    {"1.", "\"1.\"", "\"1.\""},
    {"1e-5", "\"1e-5\"", "\"1e-5\""},
    {"0x1F", "\"0x1F\"", "\"0x1F\""},
    {"0o17", "\"0o17\"", "\"0o17\""},
    {"1_000", "\"1_000\"", "\"1_000\""},
    {"12:30", "\"12:30\"", "\"12:30\""},
    {"2026-11-22", "\"2026-11-22\"", "\"2026-11-22\""},
    {".inf", "\".inf\"", "\".inf\""},
    {"ends:", "\"ends:\"", "\"ends:\""},
    {"a: b", "\"a: b\"", "\"a: b\""},
    {"a #b", "\"a #b\"", "\"a #b\""},
    {"s>S", "\"s>S\"", "\"s>S\""},
    {"a$b", "\"a$b\"", "a$b"},
    {"a$$b", "\"a$$$b\"", "a$$b"},
    {"${A}", "\"$${A}\"", "\"${A}\""},
    {"$$", "\"$$$\"", "\"$$\""},
    {"\"\\", "\"\\\"\\\\\"", "\"\\\"\\\\\""},
};

static void texts_are_in_quotes_only_where_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
        char buffer[64];
        FILE *out = fmemopen(buffer, sizeof buffer, "w");
        settings_write_text(written[i].text, out);
        fclose(out);
        assert_string_equal(buffer, written[i].value);
        out = fmemopen(buffer, sizeof buffer, "w");
        settings_write_key(written[i].text, out);
        fclose(out);
        assert_string_equal(buffer, written[i].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_in_quotes_only_where_they_must),
        cmocka_unit_test(random_things_read_back_as_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
