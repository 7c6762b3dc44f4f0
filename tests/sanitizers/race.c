/* Two threads count without a lock: for test_can_fail.sh. */
#include <pthread.h>
#include <stddef.h>

static volatile int counter;

static void *count(void *context)
{
    for (int i = 0; i < 1000; i++)
        counter = counter + 1;
    return context;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, count, NULL) != 0)
        return 0;
    count(NULL);
    pthread_join(thread, NULL);
    return 0;
}
