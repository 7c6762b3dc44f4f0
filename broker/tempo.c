/*
 * An average that follows slowly, is never moved far by one reply, and by one in a millisecond at
 * most: a worker that hung and then answers all it had at once must not make the calls of the others
 * look hopeless.
 */
#include "broker/tempo.h"

enum {
    LEARNING = 8,         /* replies that count in full; before that nothing is known */
    SLOW = 8,             /* then one reply moves the mean by an eighth of its distance */
    STEP_MS = 8,          /* and its distance counts as half the mean and so much at most */
    NEED_MAX_MS = 100000, /* beyond that nothing is told apart */
    DOUBT_MS = 1000,
};

static uint32_t toward(uint32_t from, uint32_t to, uint32_t slow)
{
    return to >= from ? from + (to - from) / slow : from - (from - to) / slow;
}

void tempo_note(struct tempo *tempo, uint64_t ms, uint64_t now)
{
    uint32_t needed = (uint32_t)(ms < NEED_MAX_MS ? ms : NEED_MAX_MS) * TEMPO_UNIT;
    uint32_t most = tempo->mean + tempo->mean / 2 + STEP_MS * TEMPO_UNIT;
    uint32_t slow = SLOW;
    if (now == tempo->noted_at && tempo->notes >= LEARNING)
        return;
    tempo->noted_at = now;
    if (tempo->notes < LEARNING)
        slow = ++tempo->notes;
    else if (needed > most)
        needed = most;
    uint32_t distance = needed > tempo->mean ? needed - tempo->mean : tempo->mean - needed;
    if (tempo->notes > 1)
        tempo->deviation = toward(tempo->deviation, distance, slow);
    tempo->mean = toward(tempo->mean, needed, slow);
}

uint64_t tempo_need(const struct tempo *tempo)
{
    if (tempo->mean == 0 || tempo->notes < LEARNING)
        return 0;
    return (tempo->mean + tempo->mean / 2 + 2 * (uint64_t)tempo->deviation) / TEMPO_UNIT + 1;
}

void tempo_doubt(struct tempo *tempo, uint64_t now)
{
    uint64_t need = tempo_need(tempo);
    if (now - tempo->noted_at <= (need < DOUBT_MS ? need : DOUBT_MS))
        return;
    tempo->noted_at = now;
    tempo->mean /= 2;
    tempo->deviation /= 2;
}
