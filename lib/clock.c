#include "lib/clock.h"

#include "lib/own.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t first_ms = -62167219200000; /* 0000-01-01T00:00:00Z */
static const int64_t last_ms = 253402300799999;  /* 9999-12-31T23:59:59.999Z */

static int64_t read_ms(clockid_t id) {
    struct timespec now;
    int status = clock_gettime(id, &now);
    assert(status == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void) {
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void) {
    return read_ms(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void) {
    return read_ms(CLOCK_REALTIME);
}

/* Writes the digits of a number before end; lists show thousands of times. */
static void write_digits(char *end, int number) {
    for (; number > 0; number /= 10) *--end = (char)('0' + number % 10);
}

const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]) {
    if (wall_ms < first_ms) wall_ms = first_ms;
    if (wall_ms > last_ms) wall_ms = last_ms;
    int64_t milliseconds = wall_ms % 1000;
    if (milliseconds < 0) milliseconds += 1000;
    time_t seconds = (time_t)((wall_ms - milliseconds) / 1000);
    struct tm parts;
    struct tm *known = gmtime_r(&seconds, &parts);
    assert(known != NULL);
    static const char form[] = "0000-00-00T00:00:00.000Z";
    memcpy(out, form, sizeof form);
    write_digits(out + 4, parts.tm_year + 1900);
    write_digits(out + 7, parts.tm_mon + 1);
    write_digits(out + 10, parts.tm_mday);
    write_digits(out + 13, parts.tm_hour);
    write_digits(out + 16, parts.tm_min);
    write_digits(out + 19, parts.tm_sec);
    write_digits(out + 23, (int)milliseconds);
    return out;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Exactly count digits followed by the character after ('\0' means any) into *out; moves *cursor
 * behind both. */
static bool take_number(const char **cursor, int count, char after, int *out) {
    *out = 0;
    for (; count > 0; count--, (*cursor)++) {
        if (!is_digit(**cursor)) return false;
        *out = *out * 10 + (**cursor - '0');
    }
    if (after == '\0') return true;
    return *(*cursor)++ == after;
}

static bool take_date(const char **cursor, struct tm *parts) {
    if (!take_number(cursor, 4, '-', &parts->tm_year) ||
        !take_number(cursor, 2, '-', &parts->tm_mon) ||
        !take_number(cursor, 2, '\0', &parts->tm_mday))
        return false;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = parts->tm_year;
    int month = parts->tm_mon;
    if (month < 1 || month > 12) return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int last = days[month - 1] + (leap && month == 2 ? 1 : 0);
    parts->tm_year -= 1900;
    parts->tm_mon -= 1;
    return parts->tm_mday >= 1 && parts->tm_mday <= last;
}

static bool take_time(const char **cursor, struct tm *parts, int *milliseconds) {
    if (!take_number(cursor, 2, ':', &parts->tm_hour) ||
        !take_number(cursor, 2, ':', &parts->tm_min) ||
        !take_number(cursor, 2, '\0', &parts->tm_sec))
        return false;
    *milliseconds = 0;
    if (**cursor == '.') {
        (*cursor)++;
        if (!is_digit(**cursor)) return false;
        for (int scale = 100; is_digit(**cursor); scale /= 10, (*cursor)++)
            *milliseconds += (**cursor - '0') * scale;
    }
    return parts->tm_hour <= 23 && parts->tm_min <= 59 && parts->tm_sec <= 60; /* leap second */
}

static bool take_offset(const char **cursor, int *minutes) {
    char sign = *(*cursor)++;
    *minutes = 0;
    if (sign == 'Z' || sign == 'z') return true;
    int hour = 0;
    int minute = 0;
    if ((sign != '+' && sign != '-') || !take_number(cursor, 2, ':', &hour) ||
        !take_number(cursor, 2, '\0', &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = (hour * 60 + minute) * (sign == '-' ? -1 : 1);
    return true;
}

int64_t clock_parse_rfc3339(const char *text) {
    struct tm parts = {0};
    int milliseconds = 0;
    int offset_minutes = 0;
    if (!take_date(&text, &parts)) return -1;
    char separator = *text++;
    if (separator != 'T' && separator != 't') return -1;
    if (!take_time(&text, &parts, &milliseconds) || !take_offset(&text, &offset_minutes) ||
        *text != '\0')
        return -1;
    int64_t seconds = (int64_t)timegm(&parts) - (int64_t)offset_minutes * 60;
    return seconds < 0 ? -1 : seconds * 1000 + milliseconds; /* nothing here is older than 1970 */
}

int64_t clock_parse_duration_ms(const char *text) {
    static const struct {
        const char *unit;
        int64_t factor_ms;
    } units[] = {
        {"",   1000    },
        {"ms", 1       },
        {"s",  1000    },
        {"m",  60000   },
        {"h",  3600000 },
        {"d",  86400000}
    };
    if (!is_digit(*text)) return -1;
    int64_t number = 0;
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *text - '0', &number))
            return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].unit) != 0) continue;
        return __builtin_mul_overflow(number, units[i].factor_ms, &number) ? -1 : number;
    }
    return -1;
}

static char boot_id[64];

static void read_boot_id(void) {
    OWN_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = read(fd, boot_id, sizeof boot_id - 1);
    if (length < 0) length = 0;
    boot_id[length] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

const char *clock_boot_id(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_boot_id);
    return boot_id;
}
