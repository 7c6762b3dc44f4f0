/* The end of a program's stderr as text that can be shown. */
#ifndef OBJECTS_PROGRAM_TAIL_H
#define OBJECTS_PROGRAM_TAIL_H

#include <stddef.h>

/* Terminates the bytes, at most PROGRAM_TAIL_SIZE with room for one more: no character cut in two,
 * nothing that does not print, no newline at the end. */
void program_tail_clean(char *tail, size_t size);

#endif
