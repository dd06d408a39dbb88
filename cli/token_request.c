#include "cli/token_request.h"

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
    }
    if (s->labels != NULL && s->labels[0] != '\0' && !add_labels(s->labels, out, e)) return false;
    text_add(out, "}");
    return true;
}
