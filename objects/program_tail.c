/* Makes text of what a program wrote to its stderr last. */
#include "objects/program_tail.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "objects/program.h"

/* Bytes of the character that begins a text, 0 if it is none or does not print. */
static size_t printable(const char *text, size_t size)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > size || !utf8_is_valid(text, length))
        return 0;
    bool control = (first < ' ' && first != '\n' && first != '\t') || first == 0x7f;
    return control ? 0 : length;
}

void program_tail_clean(char *tail, size_t size)
{
    size_t skip = 0;
    while (size == PROGRAM_TAIL_SIZE && skip < 3 && ((unsigned char)tail[skip] & 0xc0) == 0x80)
        skip++;
    size -= skip;
    memmove(tail, tail + skip, size);
    for (size_t i = 0; i < size;) {
        size_t length = printable(tail + i, size - i);
        if (length == 0)
            tail[i] = '?';
        i += length > 0 ? length : 1;
    }
    while (size > 0 && tail[size - 1] == '\n')
        size--;
    tail[size] = '\0';
}
