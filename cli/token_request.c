#include "cli/token_request.h"

#include "cli/format.h"
#include "lib/json.h"
#include "lib/labels.h"

#include <string.h>

/* --label lines as a JSON object. */
static bool add_labels(const char *lines, struct text *out, struct err *e) {
    OWN_MEMORY char *list = text_duplicate(lines);
    for (char *at = list; *at != '\0'; at++)
        if (*at == '\n') *at = ',';
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    if (!labels_parse(list, &canonical, e)) {
        e->code = ERR_USAGE;
        return err_wrap(e, "--label");
    }
    char key[LABEL_PART_SIZE], value[LABEL_PART_SIZE];
    const char *cursor = text_value(&canonical);
    text_add(out, ",\"labels\":{");
    for (int i = 0; labels_next(&cursor, key, value); i++) {
        if (i > 0) text_add(out, ",");
        json_quote(key, out);
        text_add(out, ":");
        json_quote(value, out);
    }
    text_add(out, "}");
    return true;
}

bool token_request_json(const struct settings *s, struct text *out, struct err *e) {
    bool join = strcmp(s->kind, "join") == 0;
    if (!join && strcmp(s->kind, "api") != 0)
        return err_set(e, ERR_USAGE, "--kind takes api or join, not \"%s\"", s->kind);
    if (join && s->scope[0] != '\0') {
        err_set(e, ERR_USAGE, "--scope is for API tokens; a machine that joins gets labels");
        return err_hint(e, "--label KEY=VALUE");
    }
    if (s->uses < 1) return err_set(e, ERR_USAGE, "--uses takes a number from 1 on");
    if (s->expires_ms < 0 || (join && s->expires_ms < 1000))
        return err_set(e, ERR_USAGE, "--expires takes a time such as 1h");
    text_add_format(out, "{\"kind\":\"%s\",\"expires_s\":%lld", join ? "join" : "api",
                    (long long)(s->expires_ms / 1000));
    if (join) {
        text_add_format(out, ",\"uses\":%lld", (long long)s->uses);
    } else {
        text_add(out, ",\"role\":");
        json_quote(s->role, out);
        if (s->scope[0] != '\0') text_add(out, ",\"scope\":");
        if (s->scope[0] != '\0') json_quote(s->scope, out);
    }
    if (s->labels != NULL && s->labels[0] != '\0' && !add_labels(s->labels, out, e)) return false;
    text_add(out, "}");
    return true;
}

bool token_request_send(struct invocation *call, struct http_answer *answer,
                        struct answer_created_token *out, struct err *e) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    return token_request_json(call->settings, &body, e) &&
           api_send(call->api, "POST", "/api/tokens", text_value(&body), answer, e) &&
           answer_decode(&answer_created_token_schema, answer, out, e);
}

void token_request_limits(const struct settings *s, struct text *out) {
    char words[FORMAT_SIZE];
    if (strcmp(s->kind, "join") == 0 && s->uses > 1)
        text_add_format(out, "%lld machines may use it", (long long)s->uses);
    else if (strcmp(s->kind, "join") == 0)
        text_add(out, "one machine may use it");
    else
        text_add_format(out, "role %s%s%s", s->role, s->scope[0] != '\0' ? ", scope " : "",
                        s->scope);
    bool join = strcmp(s->kind, "join") == 0;
    if (s->expires_ms > 0)
        text_add_format(out, ", %s %s", join ? "within" : "for",
                        format_duration(s->expires_ms, words));
    else if (!join)
        text_add(out, ", it never expires");
}
