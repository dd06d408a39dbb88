/* The lowest version of an artifact that may still be chosen. */
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/rollout_answers.h"

static const struct output_column columns[] = {
    {"NAME",    0},
    {"VERSION", 0},
    {"SET",     0},
};

static void floor_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_floor *f = item;
    char age[FORMAT_SIZE];
    output_cell(t, f->name);
    output_cell(t, f->version);
    output_cell(t, format_age(format_or(f->set_at, ""), now_ms, age));
}

static const char *floor_name(const void *item) {
    return ((const struct answer_floor *)item)->name;
}

static bool list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/floors",
                                     .plural = "floors",
                                     .schema = &answer_floor_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = floor_row,
                                     .name = floor_name};
    return listing_run(call, &l, e);
}

static void floor_path(const char *name, struct text *out) {
    text_add(out, "/api/floors");
    api_path_add(out, name);
}

static bool clear(struct invocation *call, const char *name, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "remove the floor of %s", name);
    floor_path(name, &path);
    return invocation_confirm(call, e,
                              "Older versions of %s, which may not understand newer data, may be "
                              "chosen again. Go on?",
                              name) &&
           api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, name, e, "%s has no floor", name);
}

static bool set(struct invocation *call, const char *name, const char *version, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, body = TEXT_EMPTY;
    if (call->settings->dry_run)
        return invocation_would(call, e, "forbid versions of %s below %s", name, version);
    floor_path(name, &path);
    text_add(&body, "{\"version\":");
    json_quote(version, &body);
    text_add(&body, "}");
    return api_send(call->api, "PUT", text_value(&path), text_value(&body), &answer, e) &&
           listing_changed(call, &answer, name, e, "no version of %s below %s is chosen any more",
                           name, version);
}

bool binary_floor(struct invocation *call, struct err *e) {
    bool removal = call->settings->clear;
    if (call->argument_count == 0 && !removal) return list(call, e);
    if (removal && call->argument_count == 1) return clear(call, call->arguments[0], e);
    if (!removal && call->argument_count == 2)
        return set(call, call->arguments[0], call->arguments[1], e);
    err_set(e, ERR_USAGE, "binary floor takes nothing, ARTIFACT VERSION, or ARTIFACT --clear");
    return err_hint(e, "gridctl binary floor storage-server 1.1.0");
}
