#include "cli/audit_trail.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/clock.h"
#include "lib/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000

static const struct output_column columns[] = {
    {"SEQ",     COLUMN_RIGHT},
    {"AT",      0           },
    {"WHO",     0           },
    {"ACTION",  0           },
    {"SUBJECT", 0           },
    {"DATA",    COLUMN_FLEX },
};

static void audit_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_audit_row *row = item;
    (void)now_ms;
    output_cell_format(t, "%" PRId64, row->seq);
    output_cell(t, row->at);
    output_cell(t, row->principal);
    output_cell(t, row->action);
    output_cell(t, row->subject);
    output_cell(t, strcmp(row->data, "{}") != 0 ? row->data : NULL);
}

static const char *audit_name(const void *item) {
    return ((const struct answer_audit_row *)item)->hash;
}

bool audit_show(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/audit",
                                     .plural = "rows",
                                     .schema = &answer_audit_row_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = audit_row,
                                     .name = audit_name};
    return listing_run(call, &l, e);
}

static bool state_directory(char out[PATH_MAX]) {
    const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (base != NULL && base[0] == '/') return snprintf(out, PATH_MAX, "%s/grid", base) < PATH_MAX;
    return home != NULL && home[0] != '\0' &&
           snprintf(out, PATH_MAX, "%s/.local/state/grid", home) < PATH_MAX;
}

/* ~/.local/state/grid/audit-https___host_7001.json: each master has its own. */
static bool memory_path(const char *url, char out[PATH_MAX], struct err *e) {
    char directory[PATH_MAX], name[SETTINGS_URL_SIZE + 16];
    if (!state_directory(directory))
        return err_set(e, ERR_INVALID,
                       "HOME is not set: there is no place to remember what was "
                       "checked");
    if (!file_make_directory(directory, 0700, e)) return err_wrap(e, "remember what was checked");
    snprintf(name, sizeof name, "audit-%s.json", url);
    for (char *at = name; *at != '\0'; at++)
        if (strchr("/:[]", *at) != NULL) *at = '_';
    return file_join(out, PATH_MAX, directory, name, e);
}

static bool read_memory(const char *path, struct audit_memory *out, struct err *e) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    *out = (struct audit_memory){.seq = 0};
    if (!file_read(path, 64 * 1024, &content, e)) return e->code == ERR_NOT_FOUND;
    return json_decode(&audit_memory_schema, text_value(&content), content.length,
                       JSON_REJECT_UNKNOWN, out, e) ||
           err_wrap(e, "%s", path);
}

/* The first key that is seen is taken for the master's from then on. */
static bool check_key(struct invocation *call, const char *path, struct audit_memory *memory,
                      struct sign_public *key, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    char line[SIGN_PUBLIC_TEXT_SIZE];
    if (!api_get(call->api, "/api/keys/master", &answer, e) ||
        !sign_public_parse(text_value(&answer.body), key, e))
        return false;
    sign_public_text(key, line);
    if (memory->master_key[0] == '\0') memcpy(memory->master_key, line, sizeof line);
    if (strcmp(memory->master_key, line) == 0) return true;
    err_set(e, ERR_UNTRUSTED, "the master has another key than when its trail was first checked");
    return err_hint(e, "if this grid was made anew, remove %.150s", path);
}

static bool check_page(struct invocation *call, struct audit_trail *trail, bool *more,
                       struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    void *items = NULL;
    size_t count = 0;
    text_add_format(&path, "/api/audit?since=%" PRId64 "&limit=%d", trail->last, PAGE);
    if (!api_get(call->api, text_value(&path), &answer, e) ||
        !answer_decode_list(&answer_audit_row_schema, &answer, &items, &count, e))
        return false;
    const struct answer_audit_row *rows = items;
    bool whole = true;
    for (size_t i = 0; i < count && whole; i++) whole = audit_trail_row(trail, &rows[i], e);
    json_clear_list(&answer_audit_row_schema, items, count);
    *more = count == PAGE;
    return whole;
}

static bool check_rows(struct invocation *call, struct audit_trail *trail, struct err *e) {
    for (bool more = true; more;)
        if (!check_page(call, trail, &more, e)) return false;
    return audit_trail_end(trail, e);
}

static bool remember(const char *path, const struct audit_trail *trail, struct audit_memory *memory,
                     struct err *e) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    memory->seq = trail->last;
    memcpy(memory->hash, trail->hash, sizeof memory->hash);
    clock_rfc3339(clock_wall_ms(), memory->at);
    json_encode(&audit_memory_schema, memory, &content);
    return file_write_durable(path, text_value(&content), content.length, 0600, e);
}

static bool tell(const struct invocation *call, const struct audit_trail *trail,
                 const struct sign_public *key, struct err *e) {
    char id[SIGN_KEY_ID_HEX_SIZE];
    int64_t rows = trail->last == 0 ? 0 : trail->last - trail->first + 1;
    if (call->format == OUTPUT_JSON)
        return listing_line(e,
                            "{\"rows\":%" PRId64 ",\"first\":%" PRId64 ",\"last\":%" PRId64
                            ",\"unseen\":%" PRId64
                            ",\"hash\":\"%s\",\"checkpoints\":%zu,\"master_key_id\":\"%s\"}",
                            rows, trail->first, trail->last, trail->unseen, trail->hash,
                            trail->point_count, sign_key_id(key, id));
    if (trail->unseen > 0)
        invocation_note(call,
                        "%" PRId64 " rows that came after those that were checked here at %s are "
                        "not kept any more: that these go on from there is the master's word alone",
                        trail->unseen, trail->memory->at);
    return listing_line(e,
                        "the audit trail is whole: %" PRId64 " rows, %zu checkpoints signed by "
                        "master key %s",
                        rows, trail->point_count, sign_key_id(key, id));
}

/* Checkpoints come first: rows that are added meanwhile do no harm. */
static bool verify(struct invocation *call, struct audit_memory *memory,
                   const struct sign_public *key, const char *path, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct audit_trail trail;
    void *points = NULL;
    size_t count = 0;
    if (!api_get(call->api, "/api/audit/checkpoints", &answer, e) ||
        !answer_decode_list(&answer_audit_point_schema, &answer, &points, &count, e))
        return false;
    bool whole = audit_trail_begin(&trail, memory, key, points, count, e) &&
                 check_rows(call, &trail, e) && tell(call, &trail, key, e) &&
                 remember(path, &trail, memory, e);
    json_clear_list(&answer_audit_point_schema, points, count);
    return whole;
}

bool audit_verify(struct invocation *call, struct err *e) {
    struct audit_memory memory;
    struct sign_public key;
    char path[PATH_MAX];
    return api_connect(call->api, e) && memory_path(call->api->at.url, path, e) &&
           read_memory(path, &memory, e) && check_key(call, path, &memory, &key, e) &&
           verify(call, &memory, &key, path, e);
}
