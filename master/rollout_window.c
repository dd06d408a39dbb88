#include "master/rollout_window.h"

#include "lib/text.h"
#include "lib/timezone.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DAY_S INT64_C(86400)
#define DAYS_BACK 2 /* windows that began before today where it is later, and go on */
#define DAYS_AHEAD 8

struct interval {
    int64_t begin_s, end_s; /* UTC */
};

static const char *const weekdays[7] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static bool take_weekday(const char **at, int *out) {
    for (int i = 0; i < 7; i++) {
        if (strncasecmp(*at, weekdays[i], 3) != 0) continue;
        *out = i;
        *at += 3;
        return true;
    }
    return false;
}

/* Bits by weekday, 0: Sunday. */
static bool parse_days(const char *text, unsigned *out) {
    const char *at = text;
    *out = 0x7f;
    if (strcasecmp(text, "daily") == 0) return true;
    *out = 0;
    do {
        int first, last;
        if (!take_weekday(&at, &first)) return false;
        last = first;
        if (*at == '-' && (at++, !take_weekday(&at, &last))) return false;
        for (int day = first;; day = (day + 1) % 7) {
            *out |= 1u << day;
            if (day == last) break;
        }
    } while (*at++ == ',');
    return at[-1] == '\0';
}

/* "22:00" */
static bool parse_clock(const char *text, int64_t *out_s) {
    for (size_t i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i])) return false;
    int hours = (text[0] - '0') * 10 + text[1] - '0';
    int minutes = (text[3] - '0') * 10 + text[4] - '0';
    *out_s = hours * INT64_C(3600) + minutes * INT64_C(60);
    return text[5] == '\0' && hours < 24 && minutes < 60;
}

bool rollout_window_check(const struct rollout_window *w, struct err *e) {
    unsigned days;
    int64_t second;
    if (!parse_days(w->days, &days)) {
        (void)err_set(e, ERR_INVALID, "days: \"%s\" names no days", w->days);
        return err_hint(e, "\"mon-fri\", \"sat,sun\" or \"daily\"");
    }
    const char *clocks[] = {w->from, w->to};
    for (size_t i = 0; i < 2; i++) {
        if (parse_clock(clocks[i], &second)) continue;
        (void)err_set(e, ERR_INVALID, "%s: \"%s\" is not a time of day", i == 0 ? "from" : "to",
                      clocks[i]);
        return err_hint(e, "from 00:00 to 23:59, as in \"22:00\"");
    }
    return true;
}

bool rollout_window_check_zone(const struct rollout_window *w, struct err *e) {
    OWN(timezone) struct timezone_rules *zone = NULL;
    if (timezone_load(&zone, w->tz, e)) return true;
    if (e != NULL && e->code == ERR_NOT_FOUND) e->code = ERR_INVALID; /* the request, not a page */
    return err_wrap(e, "tz");
}

/* Appends what of a window lies around now; returns how many. */
static size_t add_intervals(const struct rollout_window *w, const struct timezone_rules *zone,
                            int64_t now_s, struct interval *out) {
    unsigned days;
    int64_t from_s, to_s;
    size_t count = 0;
    if (!parse_days(w->days, &days) || !parse_clock(w->from, &from_s) || !parse_clock(w->to, &to_s))
        return 0;
    if (to_s <= from_s) to_s += DAY_S;
    int64_t today = (now_s + timezone_offset_at(zone, now_s)) / DAY_S;
    for (int64_t day = today - DAYS_BACK; day <= today + DAYS_AHEAD; day++) {
        if ((days & 1u << (day + 4) % 7) == 0) continue; /* 1970-01-01 was a Thursday */
        out[count++] = (struct interval){timezone_utc_of(zone, day * DAY_S + from_s),
                                         timezone_utc_of(zone, day * DAY_S + to_s)};
    }
    return count;
}

/* The end of what is open without a break from now on; now itself when nothing is. */
static int64_t open_until(const struct interval *intervals, size_t count, int64_t now_s) {
    int64_t until = now_s;
    for (size_t i = 0; i < count; i++) {
        if (intervals[i].begin_s > until || until >= intervals[i].end_s) continue;
        until = intervals[i].end_s;
        i = SIZE_MAX; /* from the beginning: another may go on where this one ends */
    }
    return until;
}

static int64_t opens_at(const struct interval *intervals, size_t count, int64_t now_s) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (intervals[i].begin_s > now_s && intervals[i].begin_s < next)
            next = intervals[i].begin_s;
    return next;
}

bool rollout_windows_at(const struct rollout_window *windows, size_t count, int64_t now_wall_ms,
                        bool *open, int64_t *next_change_ms, struct err *e) {
    *open = true;
    *next_change_ms = INT64_MAX;
    if (count == 0) return true;
    int64_t now_s = now_wall_ms / 1000;
    size_t found = 0;
    OWN_MEMORY struct interval *intervals =
        memory_zeroed(count * (DAYS_BACK + DAYS_AHEAD + 1), sizeof *intervals);
    for (size_t i = 0; i < count; i++) {
        OWN(timezone) struct timezone_rules *zone = NULL;
        if (!timezone_load(&zone, windows[i].tz, e)) return err_wrap(e, "windows[%zu].tz", i);
        found += add_intervals(&windows[i], zone, now_s, intervals + found);
    }
    int64_t until_s = open_until(intervals, found, now_s);
    *open = until_s > now_s;
    int64_t change_s = *open ? until_s : opens_at(intervals, found, now_s);
    bool never = change_s == INT64_MAX || change_s > now_s + (DAYS_AHEAD - 1) * DAY_S;
    if (!never) *next_change_ms = change_s * 1000;
    return true;
}
