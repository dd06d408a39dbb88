#include "cli/rollout_body.h"

#include "lib/clock.h"
#include "lib/json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void add_key(const char *key, struct text *out) {
    text_add(out, out->data[out->length - 1] == '{' ? "" : ",");
    json_quote(key, out);
    text_add(out, ":");
}

static void add_word(const char *key, const char *value, struct text *out) {
    if (value[0] == '\0') return;
    add_key(key, out);
    json_quote(value, out);
}

static void add_true(const char *key, bool value, struct text *out) {
    if (!value) return;
    add_key(key, out);
    text_add(out, "true");
}

/* "3", and "10%" where a share is one, too. */
static bool is_amount(const char *value, bool shares) {
    size_t digits = strspn(value, "0123456789");
    bool share = shares && value[digits] == '%';
    return digits > 0 && digits < 10 && value[digits + (share ? 1 : 0)] == '\0';
}

static bool add_amount(const char *flag, const char *key, const char *value, struct text *out,
                       struct err *e) {
    if (value[0] == '\0') return true;
    if (!is_amount(value, true))
        return err_set(e, ERR_USAGE,
                       "--%s takes a number of machines or a share, such as 2 or 10%%"
                       ", not \"%s\"",
                       flag, value);
    add_word(key, value, out);
    return true;
}

static bool add_failures(const char *value, struct text *out, struct err *e) {
    if (value[0] == '\0') return true;
    if (!is_amount(value, false))
        return err_set(e, ERR_USAGE, "--max-failures takes a number of machines, not \"%s\"",
                       value);
    add_key("max_failures", out);
    text_add_format(out, "%lld", strtoll(value, NULL, 10));
    return true;
}

/* Seconds, with a fraction where there is one. */
static bool add_time(const char *flag, const char *key, const char *value, const char *or_else,
                     struct text *out, struct err *e) {
    if (value[0] == '\0') return true;
    int64_t ms = clock_parse_duration_ms(value);
    if (ms < 0)
        return err_set(e, ERR_USAGE, "--%s takes a duration like 30s, 5m or 2h%s, not \"%s\"", flag,
                       or_else, value);
    add_key(key, out);
    text_add_format(out, "%lld", (long long)(ms / 1000));
    if (ms % 1000 != 0) text_add_format(out, ".%03d", (int)(ms % 1000));
    return true;
}

static bool add_times(const struct settings *s, struct text *out, struct err *e) {
    const struct {
        const char *flag, *key, *value;
    } times[] = {
        {"min-healthy",       "min_healthy_s",       s->rollout.min_healthy      },
        {"probation",         "probation_s",         s->rollout.probation        },
        {"healthy-deadline",  "healthy_deadline_s",  s->rollout.healthy_deadline },
        {"progress-deadline", "progress_deadline_s", s->rollout.progress_deadline},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (!add_time(times[i].flag, times[i].key, times[i].value, "", out, e)) return false;
    if (strcmp(s->rollout.auto_promote, "never") != 0)
        return add_time("auto-promote", "auto_promote_s", s->rollout.auto_promote, ", or never",
                        out, e);
    add_word("auto_promote_s", "never", out);
    return true;
}

static bool is_clock(const char *value) {
    return strlen(value) == 5 && isdigit((unsigned char)value[0]) &&
           isdigit((unsigned char)value[1]) && value[2] == ':' &&
           isdigit((unsigned char)value[3]) && isdigit((unsigned char)value[4]);
}

/* "[DAYS] HH:MM-HH:MM [ZONE]"; the master knows days and zones. */
static bool add_window(char *line, struct text *out, struct err *e) {
    char *words[3] = {NULL}, *position = line, copy[128];
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&position, " \t")) != NULL;) {
        if (word[0] == '\0') continue;
        if (count == 3) return err_set(e, ERR_USAGE, "--window \"%s\" has too many words", copy);
        words[count++] = word;
    }
    size_t span = count > 0 && isdigit((unsigned char)words[0][0]) ? 0 : 1;
    char *until = span < count ? strchr(words[span], '-') : NULL;
    if (until != NULL) *until++ = '\0';
    if (until == NULL || !is_clock(words[span]) || !is_clock(until) || count - span > 2)
        return err_set(e, ERR_USAGE,
                       "--window takes DAYS FROM-TO ZONE, such as \"mon-fri 22:00-04:00 "
                       "Europe/Berlin\", not \"%s\"",
                       copy);
    text_add(out, out->data[out->length - 1] == '[' ? "{" : ",{");
    add_word("days", span == 1 ? words[0] : "daily", out);
    add_word("from", words[span], out);
    add_word("to", until, out);
    if (span + 1 < count) add_word("tz", words[span + 1], out);
    text_add(out, "}");
    return true;
}

static bool add_windows(const char *lines, struct text *out, struct err *e) {
    if (lines == NULL || lines[0] == '\0') return true;
    OWN_MEMORY char *copy = text_duplicate(lines);
    char *position = copy;
    add_key("windows", out);
    text_add(out, "[");
    for (char *line; (line = strsep(&position, "\n")) != NULL;)
        if (!add_window(line, out, e)) return false;
    text_add(out, "]");
    return true;
}

bool rollout_body(const struct settings *s, struct text *out, struct err *e) {
    if (s->artifact_version[0] == '\0') {
        err_set(e, ERR_USAGE, "a rollout needs --version VERSION");
        return err_hint(e, "gridctl binary list shows what is published");
    }
    text_add(out, "{");
    add_word("version", s->artifact_version, out);
    add_word("name", s->name, out);
    add_word("selector", s->rollout.selector, out);
    add_word("topology", s->rollout.topology, out);
    if (!add_amount("canary", "canary", s->rollout.canary, out, e) ||
        !add_amount("max-parallel", "max_parallel", s->rollout.max_parallel, out, e) ||
        !add_failures(s->rollout.max_failures, out, e) || !add_times(s, out, e) ||
        !add_windows(s->rollout.windows, out, e))
        return false;
    if (!s->rollout.auto_revert) {
        add_key("auto_revert", out);
        text_add(out, "false");
    }
    add_true("allow_unavailable", s->rollout.allow_unavailable, out);
    add_true("supersede", s->rollout.supersede, out);
    add_true("override_quarantine", s->rollout.override_quarantine, out);
    text_add(out, "}");
    return true;
}
