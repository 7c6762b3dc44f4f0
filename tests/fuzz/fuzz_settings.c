/* Configurations: any bytes as a file of the broker, with variables; what is accepted can be dumped
 * and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "broker/settings.h"
#include "fuzz.h"
#include "settings/document.h"

const char fuzz_subject[] = "the reading of a broker's configuration";

struct fuzz_seed fuzz_seed_at(size_t index)
{
    static const char *const FILES[] = {
        "",
        "version: 1\nbind: tcp://127.0.0.1:*\n",
        "bind:\n  - tcp://127.0.0.1:7801\n  - {endpoint: 'ipc:///tmp/busbar'}\n",
        "bind: [tcp://127.0.0.1:1, {endpoint: \"inproc://a\"}]\nallow_plaintext: true\n",
        "heartbeat: {interval: 500ms, liveness: 3}\nqueue:\n  calls: 1000\n  bytes: 64 MiB\n",
        "body_limit: 1 MiB\noutbox_bytes: 4 MiB\nretained_bytes: 0\nattempts: 3\n",
        "services: {a: {balance: random}, \"b*\": {queue: {bytes: 1 KiB, age: 5s}}, '*': {}}\n",
        "session_limit: 100\nlog: {level: debug} # a comment\n",
        "a: &x [1, 2]\nb: *x\n? c\n: !!str d\n--- \n...\n",
        "log: {level: [a, {b: c}], level: info}\nunknown: >\n  folded\n  text\n",
        "bind: \"\\u00e4\\0\\x41\"\n\tqueue: |-\n",
        "attempts: ${FUZZ_ONE:-2}\nbind: ipc://${FUZZ_TEXT}$$${\nlog: '${FUZZ_NO:-a}'\n",
        "bind: [\"ipc://$$${FUZZ_ONE}$\", 'ipc://$${FUZZ_ONE}'] # ${FUZZ_NONE}\nattempts: ${}\n",
        "queue:\n  calls: ${FUZZ_ONE}00\n  bytes: ${FUZZ_NO}\nlog: ${FUZZ_NO:-${FUZZ_ONE}}\n",
    };
    if (index >= ARRAY_SIZE(FILES))
        return (struct fuzz_seed){0};
    return (struct fuzz_seed){(const uint8_t *)FILES[index], strlen(FILES[index])};
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The text of an error has one line and names the file. */
static void check_errors(const struct settings_errors *errors)
{
    for (size_t i = 0; settings_errors_line(errors, i) != NULL; i++) {
        const char *line = settings_errors_line(errors, i);
        check(strncmp(line, "fuzz.yaml:", 10) == 0 && strchr(line, '\n') == NULL);
    }
}

/* The dump of what the text says, for free(); NULL if the text is refused. */
static char *settings_of(const char *data, size_t size)
{
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    CLEANUP(broker_settings_fini) struct broker_settings settings = {0};
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    const struct settings_text text = {.name = "fuzz.yaml", .data = data, .size = size};
    char *dump = NULL;
    size_t dump_size = 0;

    settings_errors_init(&errors);
    bool good = settings_document_parse(&document, &text, &errors);
    if (document != NULL)
        good = settings_document_replace_variables(document, &errors) && good;
    check(broker_settings_init(&settings) == BUSBAR_OK);
    if (document != NULL) {
        good = broker_settings_read(&settings, document->root, &errors) == BUSBAR_OK && good;
        good = broker_settings_check(&settings, document->root, &errors) == BUSBAR_OK && good;
    }
    check(good == (errors.count == 0));
    check_errors(&errors);
    if (!good)
        return NULL;
    FILE *out = open_memstream(&dump, &dump_size);
    check(out != NULL);
    broker_settings_dump(&settings, out);
    fclose(out);
    return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setenv("FUZZ_ONE", "1", 1);
    setenv("FUZZ_TEXT", "a ${FUZZ_ONE}: # $$\xc3\xbc", 1);
    setenv("FUZZ_NO", "", 1);
    CLEANUP(cleanup_free) char *dump = settings_of((const char *)data, size);
    if (dump != NULL) {
        CLEANUP(cleanup_free) char *again = settings_of(dump, strlen(dump));
        check(again != NULL && strcmp(dump, again) == 0);
    }
    return 0;
}
