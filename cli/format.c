#include "cli/format.h"

#include "lib/clock.h"

#include <stdio.h>
#include <time.h>

char *format_bytes(int64_t bytes, char out[FORMAT_SIZE]) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 0) {
        snprintf(out, FORMAT_SIZE, "-");
    } else if (bytes < 1000) {
        snprintf(out, FORMAT_SIZE, "%d B", (int)bytes);
    } else {
        double value = (double)bytes / 1000;
        size_t unit = 0;
        while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) value /= 1000, unit++;
        snprintf(out, FORMAT_SIZE, "%.1f %s", value, units[unit]);
    }
    return out;
}

char *format_duration(int64_t ms, char out[FORMAT_SIZE]) {
    int64_t s = ms / 1000, minutes = s / 60, hours = minutes / 60, days = hours / 24;
    if (ms < 0)
        snprintf(out, FORMAT_SIZE, "-");
    else if (minutes == 0)
        snprintf(out, FORMAT_SIZE, "%d s", (int)s);
    else if (hours == 0)
        snprintf(out, FORMAT_SIZE, "%d min", (int)minutes);
    else if (days == 0 && minutes % 60 != 0)
        snprintf(out, FORMAT_SIZE, "%d h %d min", (int)hours, (int)(minutes % 60));
    else if (days == 0)
        snprintf(out, FORMAT_SIZE, "%d h", (int)hours);
    else if (hours % 24 != 0)
        snprintf(out, FORMAT_SIZE, "%lld d %d h", (long long)days, (int)(hours % 24));
    else
        snprintf(out, FORMAT_SIZE, "%lld d", (long long)days);
    return out;
}

char *format_age(const char *rfc3339, int64_t now_ms, char out[FORMAT_SIZE]) {
    char span[FORMAT_SIZE];
    int64_t at = rfc3339[0] != '\0' ? clock_parse_rfc3339(rfc3339) : -1;
    if (at < 0)
        snprintf(out, FORMAT_SIZE, "%s", rfc3339[0] == '\0' ? "never" : "?");
    else if (at <= now_ms && now_ms - at < 1000)
        snprintf(out, FORMAT_SIZE, "now");
    else if (at <= now_ms)
        snprintf(out, FORMAT_SIZE, "%.26s ago", format_duration(now_ms - at, span));
    else
        snprintf(out, FORMAT_SIZE, "in %.26s", format_duration(at - now_ms + 999, span));
    return out;
}

char *format_time(const char *rfc3339, char out[FORMAT_SIZE]) {
    struct tm local;
    int64_t at = clock_parse_rfc3339(rfc3339);
    time_t seconds = (time_t)(at / 1000);
    if (rfc3339[0] == '\0')
        snprintf(out, FORMAT_SIZE, "-");
    else if (at < 0 || localtime_r(&seconds, &local) == NULL ||
             strftime(out, FORMAT_SIZE, "%Y-%m-%d %H:%M:%S", &local) == 0)
        snprintf(out, FORMAT_SIZE, "%.31s", rfc3339);
    return out;
}

char *format_count(int64_t count, const char *noun, char out[FORMAT_SIZE]) {
    snprintf(out, FORMAT_SIZE, "%lld %.8s%s", (long long)count, noun, count == 1 ? "" : "s");
    return out;
}
