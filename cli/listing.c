#include "cli/listing.h"

#include "lib/clock.h"

#include <stdarg.h>
#include <stdio.h>

bool listing_json(const struct http_answer *answer, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    return output_json(text_value(&answer->body), answer->body.length, &out, e) &&
           output_emit(&out, e);
}

static void note_empty(const struct invocation *call, const struct listing *l) {
    bool filtered = call->settings->filters != NULL && call->settings->filters[0] != '\0';
    if (filtered)
        invocation_note(call, "no %s match the filter", l->plural);
    else if (l->when_empty != NULL)
        invocation_note(call, "no %s yet\nNext: %s", l->plural, l->when_empty);
    else
        invocation_note(call, "no %s", l->plural);
}

static bool emit(const struct invocation *call, const struct listing *l, const char *items,
                 size_t count, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    OWN_TABLE struct output_table table = {.columns = l->columns, .column_count = l->column_count};
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < count; i++) {
        const void *item = items + i * l->schema->size;
        if (call->format != OUTPUT_NAME)
            l->row(item, now_ms, &table);
        else
            text_add_format(&out, "%s\n", l->name(item));
    }
    if (call->format != OUTPUT_NAME && count > 0)
        output_table(&table, call->format == OUTPUT_WIDE, &call->style, &out);
    return output_emit(&out, e);
}

bool listing_run(struct invocation *call, const struct listing *l, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add(&path, l->path);
    if (!api_query_list(&path, call->settings, e) ||
        !api_get(call->api, text_value(&path), &answer, e))
        return false;
    if (call->format == OUTPUT_JSON) return listing_json(&answer, e);
    void *items = NULL;
    size_t count = 0;
    if (!answer_decode_list(l->schema, &answer, &items, &count, e)) return false;
    bool done = emit(call, l, items, count, e);
    json_clear_list(l->schema, items, count);
    if (!done) return false;
    if (count == 0) note_empty(call, l);
    if (answer.total_count > (int64_t)count)
        invocation_note(call, "%zu of %lld %s; without --limit all are shown", count,
                        (long long)answer.total_count, l->plural);
    return true;
}

static bool emit_line(struct err *e, const char *format, va_list arguments) {
    OWN_TEXT struct text out = TEXT_EMPTY, clean = TEXT_EMPTY;
    OWN_MEMORY char *words = NULL;
    static const struct output_style style = {.utf8 = true};
    if (vasprintf(&words, format, arguments) < 0) {
        words = NULL;
        return err_set(e, ERR_INTERNAL, "out of memory");
    }
    output_clean(words, true, &style, &clean);
    text_add_format(&out, "%s\n", text_value(&clean));
    return output_emit(&out, e);
}

bool listing_line(struct err *e, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    bool done = emit_line(e, format, arguments);
    va_end(arguments);
    return done;
}

bool listing_changed(const struct invocation *call, const struct http_answer *answer,
                     const char *name, struct err *e, const char *format, ...) {
    if (call->format == OUTPUT_JSON && answer != NULL && answer->body.length > 0)
        return listing_json(answer, e);
    if (call->format == OUTPUT_JSON) return true; /* 204: the answer is nothing */
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", name);
    va_list arguments;
    va_start(arguments, format);
    bool done = emit_line(e, format, arguments);
    va_end(arguments);
    return done;
}

bool listing_log(struct invocation *call, struct text *path, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    if (call->settings->lines < 1) return err_set(e, ERR_USAGE, "--lines takes a number from 1 on");
    api_query_add_int(path, "lines", call->settings->lines);
    if (!api_get(call->api, text_value(path), &answer, e)) return false;
    if (answer.body.length == 0) invocation_note(call, "the log is empty");
    if (call->style.width == 0) return output_emit(&answer.body, e);
    OWN_TEXT struct text out = TEXT_EMPTY;
    output_clean(text_value(&answer.body), true, &call->style, &out);
    return output_emit(&out, e);
}
