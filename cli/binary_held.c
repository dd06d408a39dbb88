/* Files that wait for an approval: a signature that is missing, or targets signed elsewhere. */
#include "cli/answers.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"

#include <string.h>

static const struct output_column columns[] = {
    {"FILE",   0           },
    {"SIZE",   COLUMN_RIGHT},
    {"HELD",   0           },
    {"SIGNED", 0           },
    {"BY",     0           },
    {"SHA256", COLUMN_WIDE },
    {"REASON", COLUMN_FLEX },
};

static void held_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_held *h = item;
    char words[FORMAT_SIZE];
    output_cell(t, h->file);
    output_cell(t, format_bytes(h->size_bytes, words));
    output_cell(t, format_age(format_or(h->held_at, ""), now_ms, words));
    output_cell(t, h->is_signed ? "yes" : "no");
    output_cell(t, h->principal);
    output_cell(t, h->sha256);
    output_cell(t, h->reason);
}

static const char *held_name(const void *item) {
    return ((const struct answer_held *)item)->file;
}

bool binary_held(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/binaries/held",
                                     .plural = "held files",
                                     .schema = &answer_held_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = held_row,
                                     .name = held_name};
    return listing_run(call, &l, e);
}

/* A path before the name is fine, so that a shell's completion helps. */
static const char *held_path(const char *argument, const char *what, struct text *out) {
    const char *slash = strrchr(argument, '/'), *file = slash != NULL ? slash + 1 : argument;
    text_add(out, "/api/binaries/held");
    api_path_add(out, file);
    text_add(out, what);
    return file;
}

static bool approve_one(struct invocation *call, const char *argument, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    const char *file = held_path(argument, "/approve", &path);
    if (call->settings->dry_run) return invocation_would(call, e, "publish %s", file);
    return api_send(call->api, "POST", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, file, e, "published %s", file);
}

static bool discard_one(struct invocation *call, const char *argument, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    const char *file = held_path(argument, "", &path);
    if (call->settings->dry_run) return invocation_would(call, e, "discard %s", file);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, file, e, "%s is discarded", file);
}

static bool each(struct invocation *call, const char *question, invocation_one *one,
                 struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "%s %s%s?", question, call->arguments[0],
                            call->argument_count > 1 ? " and others" : ""))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, one, e);
}

bool binary_approve(struct invocation *call, struct err *e) {
    return each(call, "Vouch for and publish", approve_one, e);
}

bool binary_discard(struct invocation *call, struct err *e) {
    return each(call, "Delete the bytes of", discard_one, e);
}
