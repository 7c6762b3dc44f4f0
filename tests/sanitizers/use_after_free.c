/* Reads memory that it gave back: for test_can_fail.sh. */
#include <stdlib.h>

int main(void)
{
    char *volatile memory = calloc(10, 1);
    free(memory);
    return memory[5];
}
