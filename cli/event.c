#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/retry.h"

#include <stdio.h>

#define POLL_MS 2000
#define PAGE 1000
#define RETRY_MS 3000

struct tail {
    struct invocation *call;
    int64_t since; /* the last one seen; -1: none */
    int64_t left;  /* how many may still be shown; 0: no limit */
    bool silent;   /* the master was away at the last poll */
};

static void add_event(const struct tail *t, const struct answer_event *v, struct text *out) {
    char at[FORMAT_SIZE];
    const struct output_style *style = &t->call->style;
    if (t->call->format == OUTPUT_NAME) {
        text_add_format(out, "%lld\n", (long long)v->seq);
        return;
    }
    if (t->call->format == OUTPUT_JSON) {
        json_encode(&answer_event_schema, v, out);
        text_add(out, "\n");
        return;
    }
    if (t->call->format == OUTPUT_WIDE) text_add_format(out, "%6lld  ", (long long)v->seq);
    text_add_format(out, "%s  ", format_time(format_or(v->at, ""), at));
    OWN_TEXT struct text kind = TEXT_EMPTY;
    output_clean(format_or(v->kind, "-"), false, style, &kind);
    text_add_format(out, "%-23s  ", text_value(&kind));
    output_clean(format_or(v->text, format_or(v->subject, "")), false, style, out);
    if (t->call->format == OUTPUT_WIDE && format_or(v->principal, "")[0] != '\0') {
        text_add(out, "  by ");
        output_clean(v->principal, false, style, out);
    }
    text_add(out, "\n");
}

static void tail_path(const struct tail *t, int64_t limit, struct text *path) {
    const struct settings *s = t->call->settings;
    text_add(path, "/api/events");
    if (t->since >= 0) api_query_add_int(path, "since", t->since);
    api_query_add_int(path, "limit", limit);
    api_query_add(path, "kind", s->kind);
    api_query_add(path, "subject", s->subject);
}

static bool show(struct tail *t, const struct answer_event *events, size_t count, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    for (size_t i = 0; i < count; i++) {
        add_event(t, &events[i], &out);
        if (events[i].seq > t->since) t->since = events[i].seq;
    }
    return output_emit(&out, e);
}

/* One page of what is new. *count is how many came. */
static bool page(struct tail *t, size_t *count, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    void *items = NULL;
    tail_path(t, t->left > 0 && t->left < PAGE ? t->left : PAGE, &path);
    if (!api_get(t->call->api, text_value(&path), &answer, e) ||
        !answer_decode_list(&answer_event_schema, &answer, &items, count, e))
        return false;
    const struct answer_event *events = items;
    const char *filter = format_or(t->call->settings->kind, t->call->settings->subject);
    if (t->since >= 0 && *count > 0 && events[0].seq > t->since + 1 && filter[0] == '\0')
        invocation_note(t->call, "events %lld to %lld are no longer kept", (long long)t->since + 1,
                        (long long)events[0].seq - 1);
    bool shown = show(t, events, *count, e);
    json_clear_list(&answer_event_schema, items, *count);
    if (t->left > 0) t->left -= (int64_t)*count;
    return shown;
}

static bool history(struct tail *t, struct err *e) {
    bool limited = t->left > 0, from_start = t->since >= 0;
    for (size_t count = PAGE; count == PAGE && !(limited && t->left <= 0);) {
        if (!page(t, &count, e)) return false;
        if (!from_start) break;
    }
    return true;
}

/* A master that is away is waited for: whoever follows wants to see it come back. */
static bool follow(struct tail *t, struct err *e) {
    t->left = 0;
    if (t->since < 0) t->since = 0;
    for (;;) {
        size_t count = 0;
        struct err each = {0};
        retry_wait(t->silent ? RETRY_MS : POLL_MS);
        if (page(t, &count, &each)) {
            if (t->silent) invocation_note(t->call, "the master is back");
            t->silent = false;
        } else if (each.code == ERR_UNREACHABLE || each.code == ERR_TIMEOUT ||
                   each.code == ERR_UNAVAILABLE || each.code == ERR_RATE_LIMITED) {
            if (!t->silent) invocation_note(t->call, "%s; waiting for it", each.text);
            t->silent = true;
        } else {
            *e = each;
            return false;
        }
    }
}

bool event_tail(struct invocation *call, struct err *e) {
    const struct settings *s = call->settings;
    struct tail t = {.call = call, .since = s->since, .left = s->limit};
    if (s->limit < 0)
        return err_set(e, ERR_USAGE, "--limit takes a number from 1 on, or 0 for all");
    if (t.left == 0 && t.since < 0) t.left = 20;
    if (!history(&t, e)) return false;
    return !s->follow || follow(&t, e);
}
