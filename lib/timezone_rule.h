/* The rule of a POSIX TZ text, which says what holds after a zone file's last change:
 * "CET-1CEST,M3.5.0,M10.5.0/3", with the extensions of RFC 8536 (hours from -167 to 167). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum timezone_day { TIMEZONE_JULIAN, TIMEZONE_ZERO_BASED, TIMEZONE_WEEKDAY };

/* When of a year the clocks change. */
struct timezone_change {
    enum timezone_day kind;
    int month; /* TIMEZONE_WEEKDAY: 1-12 */
    int week;  /* the how-manieth; 5: the last */
    int day;   /* weekday (0: Sunday), or the year's day: from 1 without February 29, or from 0 */
    int64_t second; /* of that day */
};

struct timezone_rule {
    int64_t standard_s; /* added to UTC for local time */
    bool has_summer;
    int64_t summer_s;
    struct timezone_change to_summer, to_standard;
};

/* False when it is no such text. */
bool timezone_rule_parse(const char *text, struct timezone_rule *out);
int64_t timezone_rule_offset(const struct timezone_rule *rule, int64_t utc_s);
