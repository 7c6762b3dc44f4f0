/* Adds one to INT_MAX: for test_can_fail.sh. */
#include <limits.h>

int main(void)
{
    volatile int number = INT_MAX;
    number = number + 1;
    return 0;
}
