#include "tests/faults/oracle.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/soak/soak.h"

static size_t size_of(size_t capacity)
{
    return sizeof(struct oracle) + (capacity + 1) * sizeof(struct oracle_call);
}

struct oracle *oracle_new(size_t capacity)
{
    int fd = memfd_create("oracle", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size_of(capacity)) != 0)
        soak_die("no file for the oracle");
    struct oracle *oracle = mmap(NULL, size_of(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                 0);
    if (oracle == MAP_FAILED)
        soak_die("the oracle's file cannot be mapped");
    close(fd);
    oracle->capacity = capacity;
    return oracle;
}

void oracle_free(struct oracle **oracle)
{
    munmap(*oracle, size_of((*oracle)->capacity));
    *oracle = NULL;
}

struct oracle_call *oracle_call(struct oracle *oracle, uint64_t id)
{
    if (id == 0 || id > oracle->capacity)
        soak_die("there is no call %llu", (unsigned long long)id);
    return &oracle->calls[id];
}

uint64_t oracle_begin(struct oracle *oracle, bool idempotent, uint32_t timeout_ms)
{
    uint64_t id = ++oracle->begun;
    struct oracle_call *call = oracle_call(oracle, id);
    call->idempotent = idempotent;
    call->timeout_ms = timeout_ms;
    call->began = soak_now_ns();
    return id;
}

void oracle_execute(struct oracle *oracle, uint64_t id, unsigned worker)
{
    struct oracle_call *call = oracle_call(oracle, id);
    call->worker = (uint16_t)worker;
    call->executed++;
}

void oracle_note(struct oracle *oracle, uint64_t id, struct oracle_outcome outcome)
{
    struct oracle_call *call = oracle_call(oracle, id);
    call->ended = soak_now_ns();
    call->status = (uint8_t)outcome.status;
    call->fate = (uint8_t)outcome.fate;
    if (outcome.status == BUSBAR_OK && outcome.told != id)
        call->other_body = true;
    call->outcomes++;
}

/* What the first failures said: one line each. */
static void keep_text(struct oracle *oracle, uint64_t id, const struct busbar_reply *reply)
{
    static const char *const sources[] = {"client", "broker", "worker", "handler"};
    unsigned number = oracle->text_count >= ORACLE_TEXTS ? ORACLE_TEXTS : oracle->text_count++;
    if (number >= ORACLE_TEXTS)
        return;
    const struct oracle_call *call = oracle_call(oracle, id);
    snprintf(oracle->texts[number], sizeof oracle->texts[number],
             "call %llu after %.1f ms: %s, %s, by the %s: %s", (unsigned long long)id,
             (double)(call->ended - call->began) / 1e6,
             busbar_status_name(busbar_reply_status(reply)),
             busbar_fate_name(busbar_reply_fate(reply)), sources[busbar_reply_source(reply) & 3],
             busbar_reply_error(reply));
}

void oracle_end(struct oracle *oracle, uint64_t id, const struct busbar_reply *reply)
{
    struct oracle_outcome outcome = {busbar_reply_status(reply), busbar_reply_fate(reply), 0};
    if (busbar_reply_size(reply) >= sizeof outcome.told)
        memcpy(&outcome.told, busbar_reply_data(reply), sizeof outcome.told);
    oracle_note(oracle, id, outcome);
    if (outcome.status != BUSBAR_OK)
        keep_text(oracle, id, reply);
}

struct oracle_faults oracle_judge(struct oracle *oracle)
{
    struct oracle_faults faults = {0};
    for (uint64_t id = 1; id <= oracle->begun; id++) {
        const struct oracle_call *call = oracle_call(oracle, id);
        if (!call->made)
            continue;
        bool ended = call->outcomes > 0;
        bool good = ended && call->status == BUSBAR_OK;
        faults.calls++;
        faults.without_outcome += !ended;
        faults.with_several += call->outcomes > 1;
        faults.not_run += good && call->executed == 0;
        faults.run_twice += !call->idempotent && call->executed > 1;
        faults.denied += ended && call->fate == BUSBAR_NOT_EXECUTED && call->executed > 0;
        faults.claimed += ended && call->fate == BUSBAR_EXECUTED && call->executed == 0;
        faults.other_body += call->other_body;
        faults.idempotent_failed += call->idempotent && !good;
        if (ended)
            faults.statuses[call->status]++;
    }
    return faults;
}

bool oracle_is_content(const struct oracle_faults *faults)
{
    return faults->calls > 0 && faults->without_outcome == 0 && faults->with_several == 0 &&
           faults->not_run == 0 && faults->run_twice == 0 && faults->denied == 0 &&
           faults->claimed == 0 && faults->other_body == 0;
}

void oracle_print(const struct oracle *oracle, const struct oracle_faults *faults)
{
    for (unsigned i = 0; i < oracle->text_count && i < ORACLE_TEXTS; i++)
        printf("  %s\n", oracle->texts[i]);
    printf("  %zu calls:", faults->calls);
    for (int i = 0; i < ORACLE_STATUSES; i++) {
        if (faults->statuses[i] > 0)
            printf(" %s %zu", busbar_status_name((enum busbar_status)i), faults->statuses[i]);
    }
    printf("\n  without outcome %zu, with several %zu, OK but not run %zu, run twice %zu, "
           "run against their fate %zu, not run against it %zu, with another's reply %zu, "
           "idempotent and not OK %zu\n",
           faults->without_outcome, faults->with_several, faults->not_run, faults->run_twice,
           faults->denied, faults->claimed, faults->other_body, faults->idempotent_failed);
    fflush(stdout);
}
