/* Loses the only pointer to its memory: for test_can_fail.sh. */
#include <stdlib.h>

static void *volatile kept;

int main(void)
{
    kept = malloc(10);
    kept = NULL;
    return 0;
}
