#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/token_request.h"

#include <string.h>

static const struct output_column columns[] = {
    {"ID",        0           },
    {"KIND",      0           },
    {"ROLE",      0           },
    {"SCOPE",     0           },
    {"USES LEFT", COLUMN_RIGHT},
    {"EXPIRES",   0           },
    {"LABELS",    COLUMN_FLEX },
    {"CREATED",   COLUMN_WIDE },
    {"BY",        COLUMN_WIDE },
};

static void token_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_token *k = item;
    char words[FORMAT_SIZE];
    bool join = strcmp(format_or(k->kind, ""), "join") == 0;
    output_cell(t, k->id);
    output_cell(t, k->kind);
    output_cell(t, k->role);
    output_cell(t, k->scope);
    if (join && k->uses_left >= 0)
        output_cell_format(t, "%lld", (long long)k->uses_left);
    else
        output_cell(t, join ? "any" : NULL);
    output_cell(t, format_age(format_or(k->expires_at, ""), now_ms, words));
    output_cell(t, k->labels);
    output_cell(t, format_age(format_or(k->created_at, ""), now_ms, words));
    output_cell(t, k->created_by);
}

static const char *token_name(const void *item) {
    return ((const struct answer_token *)item)->id;
}

bool token_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/tokens",
                                     .plural = "tokens",
                                     .schema = &answer_token_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = token_row,
                                     .name = token_name,
                                     .when_empty = "gridctl token create"};
    return listing_run(call, &l, e);
}

/* The secret alone on stdout, so that TOKEN=$(gridctl token create) works; the rest is for people.
 */
bool token_create(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text limits = TEXT_EMPTY;
    struct answer_created_token token;
    if (!token_request_send(call, &answer, &token, e)) return false;
    token_request_limits(call->settings, &limits);
    invocation_note(call, "token %s: %s; this is the only time it is shown:", token.id,
                    text_value(&limits));
    bool done = call->format == OUTPUT_JSON
                    ? listing_json(&answer, e)
                    : listing_line(e, "%s", format_or(token.join, format_or(token.secret, "")));
    json_clear(&answer_created_token_schema, &token);
    return done;
}

static bool revoke_one(struct invocation *call, const char *id, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "revoke token %s", id);
    text_add(&path, "/api/tokens");
    api_path_add(&path, id);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, id, e, "token %s is revoked", id);
}

bool token_revoke(struct invocation *call, struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "Revoke %s%s? Who uses it is refused from now on.",
                            call->arguments[0], call->argument_count > 1 ? " and others" : ""))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, revoke_one, e);
}
