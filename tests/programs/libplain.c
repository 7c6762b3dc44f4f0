/* Functions for tests that know nothing of any bus: state, crashes, and results of every kind. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int next_number(void);
void crash(void);
const char *nothing(void);
const char *shout(const char *text);
int64_t least(void);
double not_a_number(void);
bool negate(bool value);
char *join(const char *const *words);
char **no_words(void);
const void *reversed(const void *data, size_t size, size_t *ret_size);
int worker_pid(void);
int nap(int milliseconds);

/* How often it was called in this process. */
int next_number(void)
{
    static int number;
    return ++number;
}

void crash(void)
{
    abort();
}

const char *nothing(void)
{
    return NULL;
}

/* Borrowed until the next call. */
const char *shout(const char *text)
{
    static char buffer[64];
    strncpy(buffer, text, sizeof buffer - 2);
    strcat(buffer, "!");
    return buffer;
}

int64_t least(void)
{
    return INT64_MIN;
}

double not_a_number(void)
{
    return NAN;
}

bool negate(bool value)
{
    return !value;
}

char *join(const char *const *words)
{
    char *text = calloc(1, 1024);
    for (; text != NULL && *words != NULL; words++)
        strncat(text, *words, 100);
    return text;
}

char **no_words(void)
{
    return calloc(1, sizeof(char *));
}

/* Borrowed until the next call. */
const void *reversed(const void *data, size_t size, size_t *ret_size)
{
    static unsigned char buffer[256];
    const unsigned char *bytes = data;
    size = size < sizeof buffer ? size : sizeof buffer;
    for (size_t i = 0; i < size; i++)
        buffer[i] = bytes[size - 1 - i];
    *ret_size = size;
    return buffer;
}

int worker_pid(void)
{
    return (int)getpid();
}

int nap(int milliseconds)
{
    usleep((useconds_t)milliseconds * 1000);
    return milliseconds;
}
