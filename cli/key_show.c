/* key show: who may sign what, or what a file is. */
#include "cli/answers.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/listing.h"
#include "cli/trust_fetch.h"
#include "cli/trust_root.h"
#include "lib/clock.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

static const struct output_column columns[] = {
    {"ROLE",    0           },
    {"VERSION", COLUMN_RIGHT},
    {"EXPIRES", 0           },
    {"NEEDS",   0           },
    {"HERE",    0           },
    {"KEYS",    0           },
};

/* Ids as people call the keys, and whether the master has them. */
static void role_row(const struct answer_trust_role *r, int64_t now_ms, struct output_table *t) {
    OWN_TEXT struct text keys = TEXT_EMPTY;
    char words[FORMAT_SIZE];
    size_t here = 0;
    for (size_t i = 0; i < r->keys_count; i++) {
        here += r->keys[i].here;
        text_add_format(&keys, "%s%s", i > 0 ? " " : "",
                        format_or(r->keys[i].key_id, r->keys[i].id));
    }
    output_cell(t, r->name);
    output_cell_format(t, "%lld", (long long)r->version);
    output_cell(t, format_age(format_or(r->expires_at, ""), now_ms, words));
    output_cell_format(t, "%lld of %zu", (long long)r->threshold, r->keys_count);
    output_cell_format(t, "%zu", here);
    output_cell(t, text_value(&keys));
}

static void note_trust(struct invocation *call, const struct answer_trust *t) {
    OWN_MEMORY char *agents = text_duplicate(t->agents_without_root);
    for (char *at = agents; at != NULL && *at != '\0'; at++)
        if (*at == '\n') *at = ' ';
    if (t->offline)
        invocation_note(call, "root and targets are signed elsewhere; what is dropped is held");
    else
        invocation_note(call,
                        "keys are on the master's machine: whoever has it can publish\n"
                        "Next: gridctl key rotate --offline, see the how-to of key ceremonies");
    if (agents != NULL && *agents != '\0')
        invocation_note(call, "agents without a trusted root yet: %s", agents);
    if (t->held > 0)
        invocation_note(call, "files that wait for a signature: %lld\nNext: gridctl binary held",
                        (long long)t->held);
}

static bool show_roles(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TABLE struct output_table table = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_trust trust;
    if (!api_get(call->api, "/api/trust", &answer, e)) return false;
    if (call->format == OUTPUT_JSON) return listing_json(&answer, e);
    if (!answer_decode(&answer_trust_schema, &answer, &trust, e)) return false;
    for (size_t i = 0; i < trust.roles_count; i++) {
        if (call->format == OUTPUT_NAME)
            text_add_format(&out, "%s\n", trust.roles[i].name);
        else
            role_row(&trust.roles[i], clock_wall_ms(), &table);
    }
    if (call->format != OUTPUT_NAME) output_table(&table, false, &call->style, &out);
    bool done = output_emit(&out, e);
    if (done) note_trust(call, &trust);
    json_clear(&answer_trust_schema, &trust);
    return done;
}

static bool show_release(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct sign_public key;
    if (!api_get(call->api, "/api/keys/release", &answer, e)) return false;
    if (!sign_public_parse(text_value(&answer.body), &key, e))
        return err_wrap(e, "the master's answer");
    return key_file_print(call, &key, e);
}

/* Who signed, of the keys that the file itself or the root in force names. */
static void say_signatures(const struct trust_file *f, const struct trust_base *base,
                           struct text *out) {
    OWN_TEXT struct text lacking = TEXT_EMPTY;
    const struct tuf_root *judge = trust_file_present(&base->root) ? &base->root.root : NULL;
    bool complete = trust_words_complete(f, base, judge, &lacking);
    bool unknown = f->role == TUF_TARGETS && judge == NULL;
    text_add(out, unknown    ? "the root in force says who must sign it (--metadata)\n"
                  : complete ? "signed by all who must\n"
                             : text_value(&lacking));
}

static bool show_metadata(struct invocation *call, const char *path, struct err *e) {
    OWN_TRUST_FILE struct trust_file file = {0};
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    const char *given = call->settings->trust.metadata;
    if (!trust_file_read(path, &file, e)) return false;
    if (given != NULL && *given != '\0' && !trust_fetch(call, &base, e)) return false;
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", path);
    if (call->format == OUTPUT_JSON) {
        const struct http_answer as_it_is = {.body = file.bytes};
        return listing_json(&as_it_is, e);
    }
    trust_words_say(&file, &base, &call->style, &out);
    say_signatures(&file, &base, &out);
    return output_emit(&out, e);
}

static bool is_metadata(const char *path) {
    size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".json") == 0;
}

/* What is in force, byte for byte: for machines without network. */
static bool show_served(struct invocation *call, const char *role, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    enum tuf_role_kind kind;
    if (!tuf_role_parse(role, &kind) || (kind != TUF_ROOT && kind != TUF_TARGETS)) {
        err_set(e, ERR_USAGE, "--role takes root or targets, not \"%s\"", role);
        return err_hint(e, "gridctl key show --role targets > targets.json");
    }
    return trust_fetch(call, &base, e) &&
           output_emit(kind == TUF_ROOT ? &base.root.bytes : &base.targets.bytes, e);
}

bool key_show(struct invocation *call, struct err *e) {
    const char *role = call->settings->trust.roles;
    struct sign_public key;
    if (call->argument_count == 0 && role[0] != '\0') return show_served(call, role, e);
    if (call->argument_count == 0)
        return call->settings->trust.release ? show_release(call, e) : show_roles(call, e);
    if (is_metadata(call->arguments[0])) return show_metadata(call, call->arguments[0], e);
    return key_file_public(call->arguments[0], &key, NULL, e) && key_file_print(call, &key, e);
}
