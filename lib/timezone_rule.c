#include "lib/timezone_rule.h"

#include <ctype.h>
#include <string.h>

#define DAY_S INT64_C(86400)
#define DEFAULT_CHANGE_S (2 * 3600)

/* Reads a number of at most three digits. */
static bool take_number(const char **at, int low, int high, int *out) {
    int value = 0, digits = 0;
    for (; isdigit((unsigned char)**at) && digits < 3; digits++)
        value = value * 10 + (*(*at)++ - '0');
    *out = value;
    return digits > 0 && value >= low && value <= high;
}

static bool take(const char **at, char c) {
    if (**at != c) return false;
    ++*at;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int64_t *out_s) {
    int hours, minutes = 0, seconds = 0;
    bool negative = take(at, '-');
    if (!negative) (void)take(at, '+');
    if (!take_number(at, 0, 167, &hours)) return false;
    if (take(at, ':') && !take_number(at, 0, 59, &minutes)) return false;
    if (take(at, ':') && !take_number(at, 0, 59, &seconds)) return false;
    int64_t all = hours * INT64_C(3600) + minutes * 60 + seconds;
    *out_s = negative ? -all : all;
    return true;
}

static bool take_name(const char **at) {
    const char *begin = *at;
    if (take(at, '<')) {
        while (isalnum((unsigned char)**at) || **at == '+' || **at == '-') ++*at;
        return take(at, '>');
    }
    while (isalpha((unsigned char)**at)) ++*at;
    return *at - begin >= 3;
}

static bool take_change(const char **at, struct timezone_change *out) {
    *out = (struct timezone_change){.kind = TIMEZONE_ZERO_BASED, .second = DEFAULT_CHANGE_S};
    if (take(at, 'M')) {
        out->kind = TIMEZONE_WEEKDAY;
        if (!take_number(at, 1, 12, &out->month) || !take(at, '.') ||
            !take_number(at, 1, 5, &out->week) || !take(at, '.') ||
            !take_number(at, 0, 6, &out->day))
            return false;
    } else {
        if (take(at, 'J')) out->kind = TIMEZONE_JULIAN;
        if (!take_number(at, out->kind == TIMEZONE_JULIAN, 365, &out->day)) return false;
    }
    return !take(at, '/') || take_time(at, &out->second);
}

bool timezone_rule_parse(const char *text, struct timezone_rule *out) {
    const char *at = text;
    *out = (struct timezone_rule){0};
    /* POSIX counts westwards. */
    if (!take_name(&at) || !take_time(&at, &out->standard_s)) return false;
    out->standard_s = -out->standard_s;
    if (*at == '\0') return true;
    out->has_summer = true;
    out->summer_s = out->standard_s + 3600;
    if (!take_name(&at)) return false;
    if (*at != ',') {
        if (!take_time(&at, &out->summer_s)) return false;
        out->summer_s = -out->summer_s;
    }
    return take(&at, ',') && take_change(&at, &out->to_summer) && take(&at, ',') &&
           take_change(&at, &out->to_standard) && *at == '\0';
}

static bool is_leap(int64_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to January 1 of a year. */
static int64_t days_before(int64_t year) {
    int64_t past = year - 1;
    return (year - 1970) * 365 + (past / 4 - 1969 / 4) - (past / 100 - 1969 / 100) +
           (past / 400 - 1969 / 400);
}

static int64_t year_of(int64_t utc_s) {
    int64_t days = utc_s / DAY_S;
    int64_t year = 1970 + days / 366;
    while (days_before(year + 1) <= days) year++;
    return year;
}

static int weekday_of(int64_t days) {
    return (int)((days % 7 + 7 + 4) % 7); /* 1970-01-01 was a Thursday */
}

static int64_t day_of_month_rule(const struct timezone_change *c, int64_t year) {
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t first = days_before(year);
    for (int month = 1; month < c->month; month++)
        first += lengths[month - 1] + (month == 2 && is_leap(year));
    int length = lengths[c->month - 1] + (c->month == 2 && is_leap(year));
    int day = (c->day - weekday_of(first) + 7) % 7 + (c->week - 1) * 7;
    if (day >= length) day -= 7;
    return first + day;
}

/* Local seconds (counted as if UTC) of the change in that year. */
static int64_t change_at(const struct timezone_change *c, int64_t year) {
    int64_t day;
    if (c->kind == TIMEZONE_WEEKDAY) {
        day = day_of_month_rule(c, year);
    } else {
        day = days_before(year) + c->day;
        if (c->kind == TIMEZONE_JULIAN) day += is_leap(year) && c->day >= 60 ? 0 : -1;
    }
    return day * DAY_S + c->second;
}

int64_t timezone_rule_offset(const struct timezone_rule *rule, int64_t utc_s) {
    if (!rule->has_summer) return rule->standard_s;
    int64_t year = year_of(utc_s + rule->standard_s);
    int64_t begin = change_at(&rule->to_summer, year) - rule->standard_s;
    int64_t end = change_at(&rule->to_standard, year) - rule->summer_s;
    bool summer = begin < end ? utc_s >= begin && utc_s < end : utc_s >= begin || utc_s < end;
    return summer ? rule->summer_s : rule->standard_s;
}
