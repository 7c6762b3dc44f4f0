/*
 * The tempo of a method: how long its calls needed lately from dispatch to reply, from which follows
 * which waiting calls would come too late.
 */
#ifndef BROKER_TEMPO_H
#define BROKER_TEMPO_H

#include <stdint.h>

enum {
    TEMPO_UNIT = 16, /* of mean and deviation, per ms */
};

/* All zeros: nothing is known. */
struct tempo {
    uint32_t mean;           /* ms / TEMPO_UNIT */
    uint32_t deviation : 24; /* mean distance from it */
    uint32_t notes : 8;      /* replies it was learnt from, up to a few */
    uint64_t noted_at;       /* ms: of the last reply, or when the estimate was halved */
};

/* A reply came that took `ms`. */
void tempo_note(struct tempo *tempo, uint64_t ms, uint64_t now);

/* ms that a call should still have to be worth a worker's time; 0 while nothing is known. */
uint64_t tempo_need(const struct tempo *tempo);

/*
 * A call was given up because of tempo_need. When no reply has confirmed that for as long as replies
 * should take, or for a second, the estimate is halved: a wrong one cannot starve a method.
 */
void tempo_doubt(struct tempo *tempo, uint64_t now);

#endif
