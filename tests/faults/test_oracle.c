/* The oracle itself: it must see each broken promise, or no fault test could fail. */
#include <stdio.h>

#include "tests/faults/scene.h"

/* What happened to one call, and which count must see it. */
struct story {
    const char *what;
    bool idempotent;
    unsigned executed;
    unsigned outcomes;
    struct oracle_outcome outcome;
    bool other_reply;
    size_t seen_by; /* offset of the count in struct oracle_faults */
    bool content;
};

#define SEEN_BY(member) offsetof(struct oracle_faults, member)

static const struct story stories[] = {
    {"a call is OK", false, 1, 1, {BUSBAR_OK, BUSBAR_EXECUTED, 0}, false, SEEN_BY(calls), true},
    {"a call is refused",
     false,
     0,
     1,
     {BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, 0},
     false,
     SEEN_BY(calls),
     true},
    {"a call is lost after it ran",
     false,
     1,
     1,
     {BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, 0},
     false,
     SEEN_BY(calls),
     true},
    {"an idempotent call runs twice",
     true,
     2,
     1,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(calls),
     true},
    {"an idempotent call fails",
     true,
     1,
     1,
     {BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, 0},
     false,
     SEEN_BY(idempotent_failed),
     true},
    {"a call has no outcome",
     false,
     1,
     0,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(without_outcome),
     false},
    {"a call has two outcomes",
     false,
     1,
     2,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(with_several),
     false},
    {"a call is OK that never ran",
     false,
     0,
     1,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(not_run),
     false},
    {"a call runs twice",
     false,
     2,
     1,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(run_twice),
     false},
    {"a call runs that is said not to",
     false,
     1,
     1,
     {BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED, 0},
     false,
     SEEN_BY(denied),
     false},
    {"a call never ran that is said to",
     false,
     0,
     1,
     {BUSBAR_APP_ERROR, BUSBAR_EXECUTED, 0},
     false,
     SEEN_BY(claimed),
     false},
    {"a call has another's reply",
     false,
     1,
     1,
     {BUSBAR_OK, BUSBAR_EXECUTED, 0},
     true,
     SEEN_BY(other_body),
     false},
};

static void tell(struct scene *scene, const struct story *story)
{
    struct oracle *oracle = oracle_new(1);
    uint64_t id = oracle_begin(oracle, story->idempotent, 1000);
    struct oracle_outcome outcome = story->outcome;
    outcome.told = story->other_reply ? id + 1 : id;
    oracle_call(oracle, id)->made = true;
    for (unsigned i = 0; i < story->executed; i++)
        oracle_execute(oracle, id, 1);
    for (unsigned i = 0; i < story->outcomes; i++)
        oracle_note(oracle, id, outcome);
    struct oracle_faults faults = oracle_judge(oracle);
    size_t count = *(const size_t *)(const void *)((const char *)&faults + story->seen_by);
    scene_check(scene, count == 1 && oracle_is_content(&faults) == story->content, "%s",
                story->what);
    oracle_free(&oracle);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "oracle", argv, 1);
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++)
        tell(&scene, &stories[i]);
    return scene_finish(&scene);
}
