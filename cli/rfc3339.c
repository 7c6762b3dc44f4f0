/* Times as RFC 3339 writes them; the calendar is the C library's. */
#include "cli/rfc3339.h"

#include <stdio.h>
#include <time.h>

#define SECONDS_MIN INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

bool rfc3339_write(char text[RFC3339_SIZE], int64_t seconds, uint32_t nanoseconds)
{
    time_t time = (time_t)seconds;
    struct tm tm;
    if (seconds < SECONDS_MIN || seconds > SECONDS_MAX || gmtime_r(&time, &tm) == NULL) {
        return false;
    }
    int size = snprintf(text, RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d",
                        (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
    if (nanoseconds == 0) {
        snprintf(text + size, (size_t)(RFC3339_SIZE - size), "Z");
    } else {
        snprintf(text + size, (size_t)(RFC3339_SIZE - size), ".%09uZ", nanoseconds % 1000000000);
    }
    return true;
}

/* Exactly `count` digits. */
static bool digits_read(const char **at, int count, int *ret)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        number = number * 10 + (*(*at)++ - '0');
    }
    *ret = number;
    return true;
}

static bool one_of_read(const char **at, char first, char second)
{
    if (**at != first && **at != second) {
        return false;
    }
    (*at)++;
    return true;
}

static bool date_read(const char **at, struct tm *tm)
{
    if (!digits_read(at, 4, &tm->tm_year) || !one_of_read(at, '-', '-') ||
        !digits_read(at, 2, &tm->tm_mon) || !one_of_read(at, '-', '-') ||
        !digits_read(at, 2, &tm->tm_mday)) {
        return false;
    }
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return true;
}

static bool time_read(const char **at, struct tm *tm)
{
    return digits_read(at, 2, &tm->tm_hour) && one_of_read(at, ':', ':') &&
           digits_read(at, 2, &tm->tm_min) && one_of_read(at, ':', ':') &&
           digits_read(at, 2, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 &&
           tm->tm_sec < 60;
}

static bool fraction_read(const char **at, uint32_t *ret)
{
    uint32_t nanoseconds = 0;
    int digit = 0;
    int count = 0;
    if (**at == '.') {
        (*at)++;
        while (count < 9 && digits_read(at, 1, &digit)) {
            nanoseconds = nanoseconds * 10 + (uint32_t)digit;
            count++;
        }
        if (count == 0) {
            return false;
        }
    }
    for (; count < 9; count++) {
        nanoseconds *= 10;
    }
    *ret = nanoseconds;
    return true;
}

static bool offset_read(const char **at, int64_t *ret)
{
    int hours = 0;
    int minutes = 0;
    *ret = 0;
    if (one_of_read(at, 'Z', 'z')) {
        return true;
    }
    int64_t sign = **at == '-' ? -1 : 1;
    if (!one_of_read(at, '+', '-') || !digits_read(at, 2, &hours) || !one_of_read(at, ':', ':') ||
        !digits_read(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* timegm() takes the 31st of February for the 3rd of March, so the date is compared afterwards. */
static bool calendar_seconds(const struct tm *tm, int64_t *ret)
{
    struct tm normal = *tm;
    *ret = (int64_t)timegm(&normal);
    return normal.tm_mon == tm->tm_mon && normal.tm_mday == tm->tm_mday;
}

bool rfc3339_read(const char *text, int64_t *ret_seconds, uint32_t *ret_nanoseconds)
{
    struct tm tm = {.tm_isdst = 0};
    int64_t seconds = 0;
    int64_t offset = 0;
    if (!date_read(&text, &tm) || !one_of_read(&text, 'T', 't') || !time_read(&text, &tm) ||
        !fraction_read(&text, ret_nanoseconds) || !offset_read(&text, &offset) || *text != '\0' ||
        !calendar_seconds(&tm, &seconds)) {
        return false;
    }
    *ret_seconds = seconds - offset;
    return true;
}
