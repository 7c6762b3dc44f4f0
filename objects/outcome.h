/* The outcome of this thread's last call, behind busbar_last_status() and busbar_fail(); and what a
 * thread keeps of results for its next call. */
#ifndef OBJECTS_OUTCOME_H
#define OBJECTS_OUTCOME_H

#include <busbar/object.h>

#include <stdint.h>

/* Success: no text. Cheap: one store into the thread's own memory. */
enum busbar_status outcome_ok(void);

/* Puts a text in front of the present one, as in `pool "all": …`, unless it stands there already, as
 * it does after a call that came back to where it began; the status stays. Returns it. */
enum busbar_status outcome_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An earlier attempt of the same call may have been executed, so a failure that says it was not says
 * too much: its fate becomes MAYBE_EXECUTED. */
void outcome_doubt(void);

/* A text of any length (lines of a configuration's errors); copied. */
enum busbar_status outcome_fail_text(enum busbar_status status, enum busbar_fate fate,
                                     const char *text);

/*
 * A result that lives until this thread's next call through the same function pointer: keeps
 * `memory` (from malloc; NULL for none) in this thread's slot of `owner` and frees what was there.
 * False when out of memory; `memory` is then freed. All slots of a thread are freed when it ends,
 * all of an owner by outcome_forget, which waits for nobody.
 */
struct outcome_slots;
bool outcome_slots_init(struct outcome_slots **ret);
bool outcome_keep(struct outcome_slots *owner, void *memory);
void outcome_slots_destroy(struct outcome_slots **owner);

#endif
