#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/json.h"

static const struct output_column columns[] = {
    {"NAME",    0          },
    {"ROLE",    0          },
    {"SCOPE",   COLUMN_FLEX},
    {"STATE",   0          },
    {"EXPIRES", 0          },
    {"CREATED", COLUMN_WIDE},
    {"BY",      COLUMN_WIDE},
};

static void user_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_user *u = item;
    char words[FORMAT_SIZE];
    output_cell(t, u->name);
    output_cell(t, u->role);
    output_cell(t, u->scope);
    output_cell(t, u->expires_at != NULL ? "invited" : "active");
    output_cell(t, format_age(format_or(u->expires_at, ""), now_ms, words));
    output_cell(t, format_age(format_or(u->created_at, ""), now_ms, words));
    output_cell(t, u->created_by);
}

static const char *user_name(const void *item) {
    return ((const struct answer_user *)item)->name;
}

bool user_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/users",
                                     .plural = "users",
                                     .schema = &answer_user_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = user_row,
                                     .name = user_name,
                                     .when_empty = "gridctl user invite NAME"};
    return listing_run(call, &l, e);
}

static void describe(const struct invocation *call, struct text *out) {
    const struct settings *s = call->settings;
    text_add(out, "{\"name\":");
    json_quote(call->arguments[0], out);
    text_add(out, ",\"role\":");
    json_quote(s->role, out);
    if (s->scope[0] != '\0') text_add(out, ",\"scope\":");
    if (s->scope[0] != '\0') json_quote(s->scope, out);
    text_add_format(out, ",\"expires_s\":%lld}", (long long)(s->expires_ms / 1000));
}

/* The link alone on stdout, as the secret of a token. */
bool user_invite(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct answer_user user;
    char words[FORMAT_SIZE];
    if (call->settings->expires_ms < 1000)
        return err_set(e, ERR_USAGE, "--expires takes a time such as 1d");
    describe(call, &body);
    if (!api_send(call->api, "POST", "/api/users", text_value(&body), &answer, e) ||
        !answer_decode(&answer_user_schema, &answer, &user, e))
        return false;
    invocation_note(call, "%s signs up with this link, once, within %s:", user.name,
                    format_duration(call->settings->expires_ms, words));
    if (discover_is_local(call->api->at.url))
        invocation_note(call, "It leads to this machine only. For people elsewhere invite by an "
                              "address that they reach: --url");
    bool done = call->format == OUTPUT_JSON ? listing_json(&answer, e)
                                            : listing_line(e, "%s", format_or(user.link, ""));
    json_clear(&answer_user_schema, &user);
    return done;
}

static bool remove_one(struct invocation *call, const char *name, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "remove user %s", name);
    text_add(&path, "/api/users");
    api_path_add(&path, name);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, name, e, "user %s is removed and signed out", name);
}

bool user_rm(struct invocation *call, struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "Remove %s%s? Their sessions end.", call->arguments[0],
                            call->argument_count > 1 ? " and others" : ""))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, remove_one, e);
}
