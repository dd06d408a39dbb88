#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/token_request.h"

#include <string.h>

static const struct output_column columns[] = {
    {"ID",        0           },
    {"KIND",      0           },
    {"ROLE",      0           },
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

static bool create(struct invocation *call, struct http_answer *answer,
                   struct answer_created_token *out, struct err *e) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    return token_request_json(call->settings, &body, e) &&
           api_send(call->api, "POST", "/api/tokens", text_value(&body), answer, e) &&
           answer_decode(&answer_created_token_schema, answer, out, e);
}

/* "one machine may use it, within 1 h", "role viewer, for 1 h" */
static void describe_limits(const struct settings *s, struct text *out) {
    char words[FORMAT_SIZE];
    if (strcmp(s->kind, "join") == 0 && s->uses > 1)
        text_add_format(out, "%lld machines may use it", (long long)s->uses);
    else if (strcmp(s->kind, "join") == 0)
        text_add(out, "one machine may use it");
    else
        text_add_format(out, "role %s", s->role);
    bool join = strcmp(s->kind, "join") == 0;
    if (s->expires_ms > 0)
        text_add_format(out, ", %s %s", join ? "within" : "for",
                        format_duration(s->expires_ms, words));
    else if (!join)
        text_add(out, ", it never expires");
}

/* The secret alone on stdout, so that TOKEN=$(gridctl token create) works; the rest is for people.
 */
bool token_create(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text limits = TEXT_EMPTY;
    struct answer_created_token token;
    if (!create(call, &answer, &token, e)) return false;
    describe_limits(call->settings, &limits);
    invocation_note(call, "token %s: %s; this is the only time it is shown:", token.id,
                    text_value(&limits));
    bool done = call->format == OUTPUT_JSON
                    ? listing_json(&answer, e)
                    : listing_line(e, "%s", format_or(token.join, format_or(token.secret, "")));
    json_clear(&answer_created_token_schema, &token);
    return done;
}

bool agent_join_command(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text limits = TEXT_EMPTY;
    struct answer_created_token token;
    if (!create(call, &answer, &token, e)) return false;
    describe_limits(call->settings, &limits);
    const char *join = format_or(token.join, "");
    invocation_note(call, "On the machine that shall join (token %s: %s), paste:\n", token.id,
                    text_value(&limits));
    bool done = call->format == OUTPUT_JSON   ? listing_json(&answer, e)
                : call->format == OUTPUT_NAME ? listing_line(e, "%s", join)
                                              : listing_line(e, "GRID_TOKEN='%s' grid-agent", join);
    invocation_note(call, "\nIt enrolls this machine under its host name (--id to choose one), "
                          "downloads the version its\n"
                          "channel says, verifies it and keeps it running.");
    if (discover_is_local(join))
        invocation_note(
            call,
            "The master was asked on loopback, so this works on its own machine only. For others:\n"
            "gridctl --url http://MASTER:PORT --token-file FILE agent join-command, by a name they "
            "can reach.");
    invocation_note(call, "Next: gridctl agent list");
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
