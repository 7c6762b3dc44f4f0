/* Broken configurations of a broker: each with the exact errors that it must give. */
#include "broker/settings.h"

#include "base/cleanup.h"
#include "settings/document.h"
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KNOWN                                                                                      \
    "version, bind, allow_plaintext, body_limit, heartbeat, queue, outbox_bytes, retained_bytes, " \
    "client_calls, attempts, retry, wait, hops, drain, services, majordomo, session_limit, log"
#define PORT "tcp://HOST:PORT with a port from 1 to 65535 or * for a free one"
#define HOST "tcp://HOST:PORT with an address, the name of an interface or * as the host"
#define SIZE "a size like 64 KiB or 16 MiB, from 1 KiB to 1 GiB"
#define INTERVAL "a time like 500ms or 2s, from 10ms to 1h"
#define PATTERN "the name of a service, or the beginning of some and a '*'"
#define OPEN                                                                                       \
    ", and without encryption; bind a loopback address such as 127.0.0.1, or say "                 \
    "allow_plaintext: true in the file that --config names"

static const struct {
    const char *data;
    size_t size;
    const char *errors;
} broken[] = {
    {TEXT("attempts 1\n"), "1:1: the file must be a map of KEY: VALUE, not \"attempts 1\""},
    {TEXT("- a\n- b\n"), "1:1: the file must be a map of KEY: VALUE, not a list"},
    {TEXT("hello\n"), "1:1: the file must be a map of KEY: VALUE, not \"hello\""},
    {TEXT("5"), "1:1: the file must be a map of KEY: VALUE, not \"5\""},
    {TEXT("<<: {attempts: 1}\n"), "1:1: unknown key \"<<\" in the file; known are " KNOWN},
    {TEXT("atempts: 1\n"), "1:1: unknown key \"atempts\" in the file; did you mean \"attempts\"?"},
    {TEXT("colour: red\n"), "1:1: unknown key \"colour\" in the file; known are " KNOWN},
    {TEXT("majordomo: {compat: [d2]}\n"), "1:22: majordomo.compat must be d1 or d4, not \"d2\""},
    {TEXT("services: {a: {majordomo: {method: a.b}}}\n"),
     "1:36: services.a.majordomo.method must be the name of a method, not \"a.b\""},
    {TEXT("queue: {call: 1}\n"), "1:9: unknown key \"call\" in queue; did you mean \"calls\"?"},
    {TEXT("heartbeat: {intervall: 1s}\n"),
     "1:13: unknown key \"intervall\" in heartbeat; did you mean \"interval\"?"},
    {TEXT("log: {file: x}\n"), "1:7: unknown key \"file\" in log; known are level"},
    {TEXT("bind: {endpoint: ipc://a, curve: true}\n"),
     "1:27: unknown key \"curve\" in bind; known are endpoint"},
    {TEXT("\"a\\u202eb\\n\": 1\n"),
     "1:1: unknown key \"a\\u202eb\\n\" in the file; known are " KNOWN},
    {TEXT("Attempts: 1\n"),
     "1:1: unknown key \"Attempts\" in the file; did you mean \"attempts\"?"},
    {TEXT("version: 2\n"), "1:10: version must be 1, not \"2\""},
    {TEXT("version: \"1\"\n"), "1:10: version must be 1 without quotes, not \"1\""},
    {TEXT("version: [1]\n"), "1:10: version must be 1, not a list"},
    {TEXT("attempts: 0\n"), "1:11: attempts must be a whole number from 1 to 3, not \"0\""},
    {TEXT("attempts: 4\n"), "1:11: attempts must be a whole number from 1 to 3, not \"4\""},
    {TEXT("attempts: -1\n"), "1:11: attempts must be a whole number from 1 to 3, not \"-1\""},
    {TEXT("attempts: 1.0\n"), "1:11: attempts must be a whole number from 1 to 3, not \"1.0\""},
    {TEXT("attempts: 01\n"), "1:11: attempts must be a whole number from 1 to 3, not \"01\""},
    {TEXT("attempts: 0x1\n"), "1:11: attempts must be a whole number from 1 to 3, not \"0x1\""},
    {TEXT("attempts: 1 s\n"), "1:11: attempts must be a whole number from 1 to 3, not \"1 s\""},
    {TEXT("attempts: '1'\n"),
     "1:11: attempts must be a whole number from 1 to 3 without quotes, not \"1\""},
    {TEXT("attempts: one\n"), "1:11: attempts must be a whole number from 1 to 3, not \"one\""},
    {TEXT("attempts:\n"),
     "1:10: attempts must be a whole number from 1 to 3, but nothing is given"},
    {TEXT("attempts: ~\n"),
     "1:11: attempts must be a whole number from 1 to 3, but nothing is given"},
    {TEXT("attempts: []\n"), "1:11: attempts must be a whole number from 1 to 3, not a list"},
    {TEXT("attempts: {}\n"), "1:11: attempts must be a whole number from 1 to 3, not a map"},
    {TEXT("attempts: 99999999999999999999999999\n"),
     "1:11: attempts must be a whole number from 1 to 3, not \"99999999999999999999999999\""},
    {TEXT("session_limit: 4294967296\n"),
     "1:16: session_limit must be a whole number from 0 to 1000000, not \"4294967296\""},
    {TEXT("allow_plaintext: yes\n"), "1:18: allow_plaintext must be true or false, not \"yes\""},
    {TEXT("allow_plaintext: True\n"), "1:18: allow_plaintext must be true or false, not \"True\""},
    {TEXT("allow_plaintext: 1\n"), "1:18: allow_plaintext must be true or false, not \"1\""},
    {TEXT("allow_plaintext: 'true'\n"),
     "1:18: allow_plaintext must be true or false without quotes, not \"true\""},
    {TEXT("body_limit: 1023\n"), "1:13: body_limit must be " SIZE ", not \"1023\""},
    {TEXT("body_limit: 2 GiB\n"), "1:13: body_limit must be " SIZE ", not \"2 GiB\""},
    {TEXT("body_limit: 16MB\n"), "1:13: body_limit must be " SIZE ", not \"16MB\""},
    {TEXT("body_limit: 16 mib\n"), "1:13: body_limit must be " SIZE ", not \"16 mib\""},
    {TEXT("body_limit: 1.5 MiB\n"), "1:13: body_limit must be " SIZE ", not \"1.5 MiB\""},
    {TEXT("body_limit: MiB\n"), "1:13: body_limit must be " SIZE ", not \"MiB\""},
    {TEXT("body_limit: 16  MiB\n"), "1:13: body_limit must be " SIZE ", not \"16  MiB\""},
    {TEXT("queue: {bytes: 18446744073709551615 GiB}\n"),
     "1:16: queue.bytes must be a size like 64 KiB or 16 MiB, from 64 KiB to 1024 GiB, not "
     "\"18446744073709551615 GiB\""},
    {TEXT("queue: {bytes: 36028797018963968 KiB}\n"),
     "1:16: queue.bytes must be a size like 64 KiB or 16 MiB, from 64 KiB to 1024 GiB, not "
     "\"36028797018963968 KiB\""},
    {TEXT("heartbeat: {interval: 1d}\n"),
     "1:23: heartbeat.interval must be " INTERVAL ", not \"1d\""},
    {TEXT("heartbeat: {interval: 9ms}\n"),
     "1:23: heartbeat.interval must be " INTERVAL ", not \"9ms\""},
    {TEXT("heartbeat: {interval: 61m}\n"),
     "1:23: heartbeat.interval must be " INTERVAL ", not \"61m\""},
    {TEXT("heartbeat: {interval: 1 }\nattempts: 7"),
     "1:23: heartbeat.interval must be " INTERVAL
     ", not \"1\"\n2:11: attempts must be a whole number from 1 to 3, not \"7\""},
    {TEXT("heartbeat: 5\n"), "1:12: heartbeat must be a map of KEY: VALUE, not \"5\""},
    {TEXT("heartbeat: [interval]\n"), "1:12: heartbeat must be a map of KEY: VALUE, not a list"},
    {TEXT("log: info\n"), "1:6: log must be a map of KEY: VALUE, not \"info\""},
    {TEXT("log: {level: verbose}\n"),
     "1:14: log.level must be error, warning, info or debug, not \"verbose\""},
    {TEXT("log: {level: Info}\n"),
     "1:14: log.level must be error, warning, info or debug, not \"Info\""},
    {TEXT("log:\n  level:\n    - info\n"),
     "3:5: log.level must be error, warning, info or debug, not a list"},
    {TEXT("bind: []\n"), "1:7: bind must have 1 to 64 items, not 0"},
    {TEXT("bind:\n"), "1:6: bind must be a list, but nothing is given"},
    {TEXT("bind: [[ipc://a]]\n"), "1:8: bind must be a string, not a list"},
    {TEXT("bind: [ipc://a, ]\nattempts: x"),
     "2:11: attempts must be a whole number from 1 to 3, not \"x\""},
    {TEXT("bind: {}\n"), "1:7: bind must have the key \"endpoint\""},
    {TEXT("bind:\n  - endpoint:\n"), "2:14: bind.endpoint must be tcp://HOST:PORT, ipc://PATH or "
                                     "inproc://NAME, but nothing is given"},
    {TEXT("bind: 7766\n"),
     "1:7: bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"7766\""},
    {TEXT("bind: localhost:7766\n"),
     "1:7: bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"localhost:7766\""},
    {TEXT("bind: http://127.0.0.1:80\n"),
     "1:7: bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"http://127.0.0.1:80\""},
    {TEXT("bind: tcp://127.0.0.1\n"),
     "1:7: bind must be tcp://HOST:PORT, as in tcp://127.0.0.1:7766, not \"tcp://127.0.0.1\""},
    {TEXT("bind: tcp://127.0.0.1:0\n"), "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:0\""},
    {TEXT("bind: tcp://127.0.0.1:65536\n"),
     "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:65536\""},
    {TEXT("bind: tcp://127.0.0.1:99999\n"),
     "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:99999\""},
    {TEXT("bind: tcp://127.0.0.1:+80\n"),
     "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:+80\""},
    {TEXT("bind: tcp://127.0.0.1:080\n"),
     "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:080\""},
    {TEXT("bind: tcp://127.0.0.1:http\n"),
     "1:7: bind must be " PORT ", not \"tcp://127.0.0.1:http\""},
    {TEXT("bind: tcp://127.0.0.256:1\n"),
     "1:7: bind must be " HOST ", not \"tcp://127.0.0.256:1\""},
    {TEXT("bind: tcp://127.1:1\n"), "1:7: bind must be " HOST ", not \"tcp://127.1:1\""},
    {TEXT("bind: tcp://::1:1\n"), "1:7: bind must be tcp://[ADDRESS]:PORT, with the IPv6 address "
                                  "in brackets, not \"tcp://::1:1\""},
    {TEXT("bind: 'tcp://[::1:1'\n"), "1:7: bind must be tcp://[ADDRESS]:PORT, with the IPv6 "
                                     "address in brackets, not \"tcp://[::1:1\""},
    {TEXT("bind: 'tcp://[]:1'\n"), "1:7: bind must be " HOST ", not \"tcp://[]:1\""},
    {TEXT("bind: tcp://a b:1\n"), "1:7: bind must be " HOST ", not \"tcp://a b:1\""},
    {TEXT("bind: tcp://:1\n"), "1:7: bind must be " HOST ", not \"tcp://:1\""},
    {TEXT("bind: ipc://\n"),
     "1:7: bind must be ipc://PATH with a path of 1 to 107 bytes, not \"ipc://\""},
    {TEXT("bind: inproc://\n"),
     "1:7: bind must be inproc://NAME with a name of 1 to 255 bytes, not \"inproc://\""},
    {TEXT("bind: [ipc://a, tcp://0.0.0.0:1, tcp://*:1]\n"),
     "1:17: other machines could connect to \"tcp://0.0.0.0:1\"" OPEN
     "\n1:34: other machines could connect to \"tcp://*:1\"" OPEN},
    {TEXT("bind: {endpoint: 'tcp://[::]:7766'}\n"),
     "1:18: other machines could connect to \"tcp://[::]:7766\"" OPEN},
    {TEXT("bind: tcp://lo:1\nallow_plaintext: false\n"),
     "1:7: other machines could connect to \"tcp://lo:1\"" OPEN},
    {TEXT("bind: tcp://example.org:1\n"),
     "1:7: other machines could connect to \"tcp://example.org:1\"" OPEN},
    {TEXT("outbox_bytes: 16 MiB\n"),
     "1:15: outbox_bytes must be at least 16448 KiB (body_limit + 64 KiB), not 16 MiB"},
    {TEXT("body_limit: 64 MiB\n"),
     "1:13: outbox_bytes must be at least 65600 KiB (body_limit + 64 KiB), not 64 MiB"},
    {TEXT("outbox_bytes: 63 KiB\n"), "1:15: outbox_bytes must be a size like 64 KiB or 16 MiB, "
                                     "from 64 KiB to 1024 GiB, not \"63 KiB\""},
    {TEXT("retry: {budget: 101, reserve: -1}\n"),
     "1:17: retry.budget must be a whole number from 0 to 100, not \"101\"\n1:31: retry.reserve "
     "must "
     "be a whole number from 0 to 1000000, not \"-1\""},
    {TEXT("retry: 10\n"), "1:8: retry must be a map of KEY: VALUE, not \"10\""},
    {TEXT("client_calls: 0\n"),
     "1:15: client_calls must be a whole number from 1 to 16000000, not \"0\""},
    {TEXT("queue: {age: 25h}\n"),
     "1:14: queue.age must be a time like 500ms or 2s, from 0 to 24h, not \"25h\""},
    {TEXT("wait: {calls: all, settle: soon}\n"),
     "1:15: wait.calls must be a whole number from 0 to 16000000, not \"all\"\n1:28: wait.settle "
     "must "
     "be a time like 500ms or 2s, from 0 to 1h, not \"soon\""},
    {TEXT("hops: 255\n"), "1:7: hops must be a whole number from 1 to 254, not \"255\""},
    {TEXT("drain: {timeout: 5s}\n"),
     "1:8: drain must be a time like 500ms or 2s, from 0 to 24h, not a map"},
    {TEXT("services: [a]\n"), "1:11: services must be a map of KEY: VALUE, not a list"},
    {TEXT("services:\n  a: sticky\n"),
     "2:6: services.a must be a map of KEY: VALUE, not \"sticky\""},
    {TEXT("services:\n  a: {balance: fair}\n"),
     "2:16: services.a.balance must be default, least_loaded, round_robin, random or sticky, not "
     "\"fair\""},
    {TEXT("services:\n  a: {weight: 1}\n"),
     "2:7: unknown key \"weight\" in services.a; known are balance, queue, majordomo"},
    {TEXT("services:\n  a: {queue: {calls: x}}\n"),
     "2:22: services.a.queue.calls must be a whole number from 0 to 100000000, not \"x\""},
    {TEXT("services:\n  a b: {}\n  '**': {}\n  a\"*: {}\n  '': {}\n"),
     "2:3: the key \"a b\" in services must be " PATTERN
     "\n3:3: the key \"**\" in services must be " PATTERN
     "\n4:3: the key \"a\\\"*\" in services must be " PATTERN
     "\n5:3: the key \"\" in services must be " PATTERN},
    {TEXT("services:\n  a: {}\n  a: {}\n"),
     "3:3: duplicate key \"a\"; it is already on line 2, keep one of them"},
    {TEXT("version: 3\nattempts: 0\nnobody: 1\nlog: {level: x}\n"),
     "1:10: version must be 1, not \"3\"\n2:11: attempts must be a whole number from 1 to 3, not "
     "\"0\"\n3:1: unknown key \"nobody\" in the file; known are " KNOWN
     "\n4:14: log.level must be error, warning, info or debug, not \"x\""},
};

static void check_broken(const char *data, size_t size, const char *expected)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    struct settings_errors errors;
    struct settings_text text = {.name = "f", .data = data, .size = size};
    settings_errors_init(&errors);
    assert_int_equal(broker_settings_init(&settings), BUSBAR_OK);
    (void)!settings_document_parse(&document, &text, &errors);
    assert_non_null(document);
    (void)!broker_settings_read(&settings, document->root, &errors);
    (void)!broker_settings_check(&settings, document->root, &errors);
    assert_errors(&errors, data, expected);
    settings_errors_fini(&errors);
}

static void broken_settings_are_refused_in_these_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
        check_broken(broken[i].data, broken[i].size, broken[i].errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_settings_are_refused_in_these_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
