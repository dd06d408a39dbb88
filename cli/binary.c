#include "cli/binary_file.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

static const struct output_column columns[] = {
    {"FILE",      0           },
    {"VERSION",   0           },
    {"PLATFORM",  0           },
    {"ARCH",      0           },
    {"SIZE",      COLUMN_RIGHT},
    {"SIGNED",    COLUMN_STATE},
    {"PUBLISHED", 0           },
    {"KEY",       COLUMN_WIDE },
    {"SHA256",    COLUMN_WIDE },
    {"NOTES",     COLUMN_FLEX },
};

static char *format_unix(int64_t seconds, char out[CLOCK_RFC3339_SIZE]) {
    clock_rfc3339(seconds * 1000, out);
    return out;
}

static const char *signed_word(const struct answer_binary *b) {
    if (b->yanked) return "yanked";
    if (answer_binary_left_out(b)) return "left out";
    if (b->publisher_signed) return "publisher";
    return b->is_signed ? "grid" : "targets";
}

static void binary_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_binary *b = item;
    char words[FORMAT_SIZE], at[CLOCK_RFC3339_SIZE];
    output_cell(t, b->path);
    output_cell(t, b->version);
    output_cell(t, b->platform);
    output_cell(t, b->arch);
    output_cell(t, format_bytes(b->size_bytes, words));
    output_cell(t, signed_word(b));
    output_cell(t, format_age(format_unix(b->uploaded_at, at), now_ms, words));
    output_cell(t, b->key_id);
    output_cell(t, b->checksum);
    output_cell(t, b->notes);
}

static const char *binary_name(const void *item) {
    return ((const struct answer_binary *)item)->path;
}

static const struct output_column rejected_columns[] = {
    {"FILE",   0          },
    {"SEEN",   0          },
    {"CODE",   0          },
    {"REASON", COLUMN_FLEX},
};

static void rejected_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_rejected *r = item;
    char words[FORMAT_SIZE];
    output_cell(t, r->file);
    output_cell(t, format_age(format_or(r->seen_at, ""), now_ms, words));
    output_cell(t, r->code);
    output_cell(t, r->reason);
}

static const char *rejected_name(const void *item) {
    return format_or(((const struct answer_rejected *)item)->file, "");
}

bool binary_list(struct invocation *call, struct err *e) {
    static const struct listing registered = {.path = "/api/binaries",
                                              .plural = "binaries",
                                              .schema = &answer_binary_schema,
                                              .columns = columns,
                                              .column_count = COUNT_OF(columns),
                                              .row = binary_row,
                                              .name = binary_name,
                                              .when_empty = "gridctl binary push FILE"};
    static const struct listing rejected = {.path = "/api/binaries/rejected",
                                            .plural = "rejected files",
                                            .schema = &answer_rejected_schema,
                                            .columns = rejected_columns,
                                            .column_count = COUNT_OF(rejected_columns),
                                            .row = rejected_row,
                                            .name = rejected_name};
    return listing_run(call, call->settings->rejected ? &rejected : &registered, e);
}

/* A registered binary is named by its file name; a path before it is fine, so that a shell's
 * completion helps. */
static bool reference(const char *argument, struct artifact_name *out, struct err *e) {
    const char *slash = strrchr(argument, '/');
    if (artifact_name_parse(slash != NULL ? slash + 1 : argument, out, e)) return true;
    return err_hint(e, "gridctl binary list -o name prints the names");
}

static bool fetch(struct invocation *call, const struct artifact_name *id,
                  struct http_answer *answer, struct answer_binary *binary, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    binary_path(id, NULL, &path);
    return api_get(call->api, text_value(&path), answer, e) &&
           answer_decode(&answer_binary_schema, answer, binary, e);
}

static void describe(const struct answer_binary *b, const struct output_style *style,
                     struct text *out) {
    char words[FORMAT_SIZE], at[CLOCK_RFC3339_SIZE];
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    output_field(&t, "File", b->path);
    output_field(&t, "Version", b->version);
    output_field_format(&t, "Machine", "%s/%s", format_or(b->platform, "-"),
                        format_or(b->arch, "-"));
    output_field_format(&t, "Size", "%s (%lld bytes)", format_bytes(b->size_bytes, words),
                        (long long)b->size_bytes);
    output_field(&t, "SHA-256", b->checksum);
    if (b->publisher_signed || b->is_signed)
        output_field_format(&t, "Signed", "by %s key %s",
                            b->publisher_signed ? "its publisher's" : "the grid's own",
                            format_or(b->key_id, "-"));
    else
        output_field(&t, "Signed", "by the keys of targets: gridctl key show");
    output_field(&t, "Published", format_time(format_unix(b->uploaded_at, at), words));
    if (b->yanked) output_field(&t, "Yanked", "yes, it is never offered again");
    if (answer_binary_left_out(b))
        output_field(&t, "Left out", "yes, the signed targets do not name it: agents refuse it");
    output_field(&t, "Notes", b->notes);
    output_fields(&t, style, out);
}

bool binary_show(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct artifact_name id;
    struct answer_binary binary;
    if (!reference(call->arguments[0], &id, e) || !fetch(call, &id, &answer, &binary, e))
        return false;
    describe(&binary, &call->style, &out);
    bool done = call->format == OUTPUT_TABLE ? output_emit(&out, e)
                                             : listing_changed(call, &answer, binary.path, e, " ");
    json_clear(&answer_binary_schema, &binary);
    return done;
}

static bool change_one(struct invocation *call, const char *argument, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct artifact_name id;
    char file[ARTIFACT_FILE_SIZE];
    bool yank = strcmp(call->command->verb, "yank") == 0;
    if (!reference(argument, &id, e)) return false;
    artifact_file_name(&id, file);
    if (call->settings->dry_run) {
        struct answer_binary binary;
        if (!fetch(call, &id, &answer, &binary, e)) return false;
        json_clear(&answer_binary_schema, &binary);
        return invocation_would(call, e, "%s %s", yank ? "yank" : "remove", file);
    }
    binary_path(&id, yank ? "yank" : NULL, &path);
    return api_send(call->api, yank ? "POST" : "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, file, e, "%s is %s", file,
                           yank ? "yanked: it is never offered again; who runs it keeps running it"
                                : "removed");
}

static bool change_all(struct invocation *call, const char *question, struct err *e) {
    OWN_TEXT struct text names = TEXT_EMPTY;
    for (int i = 0; i < call->argument_count; i++)
        text_add_format(&names, "%s%s", i > 0 ? ", " : "", call->arguments[i]);
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "%s %.300s: %s. Go on?", call->command->verb,
                            text_value(&names), question))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, change_one, e);
}

bool binary_yank(struct invocation *call, struct err *e) {
    return change_all(call, "it is never offered again, and this cannot be taken back", e);
}

bool binary_rm(struct invocation *call, struct err *e) {
    return change_all(
        call, "its bytes are deleted, and its name can only ever hold the same bytes again", e);
}
