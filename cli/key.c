#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/listing.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/sign.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX_BYTES 4096

static const struct output_column columns[] = {
    {"KEY",        0          },
    {"USE",        0          },
    {"TRUSTED",    0          },
    {"PUBLIC KEY", COLUMN_WIDE},
};

static void key_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_key *k = item;
    char words[FORMAT_SIZE];
    output_cell(t, k->key_id);
    output_cell(t, k->use);
    output_cell(t, k->trusted_at != NULL ? format_age(k->trusted_at, now_ms, words) : NULL);
    output_cell(t, k->public_key);
}

static const char *key_name(const void *item) {
    return format_or(((const struct answer_key *)item)->key_id, "");
}

bool key_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/keys",
                                     .plural = "keys",
                                     .schema = &answer_key_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = key_row,
                                     .name = key_name};
    return listing_run(call, &l, e);
}

bool key_generate(struct invocation *call, struct err *e) {
    char secret_path[PATH_MAX], public_path[PATH_MAX];
    const char *name = call->argument_count > 0 ? call->arguments[0] : "grid";
    if (snprintf(secret_path, PATH_MAX, "%s.key", name) >= PATH_MAX ||
        snprintf(public_path, PATH_MAX, "%s.pub", name) >= PATH_MAX)
        return err_set(e, ERR_USAGE, "the name is too long");
    if (access(public_path, F_OK) == 0) {
        err_set(e, ERR_CONFLICT, "%s exists already", public_path);
        return err_hint(e, "another name: gridctl key generate NAME");
    }
    OWN(sign_secret) struct sign_secret *key = NULL;
    if (!sign_generate(&key, e) || !sign_secret_write(key, secret_path, e)) return false;
    if (!sign_public_write(sign_secret_public(key), public_path, e)) return false;
    char id[SIGN_KEY_ID_HEX_SIZE];
    sign_key_id(sign_secret_public(key), id);
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", id);
    if (call->format == OUTPUT_JSON) return key_file_print(call, sign_secret_public(key), e);
    if (!listing_line(e, "%s  %s (keep it secret)  %s", id, secret_path, public_path)) return false;
    invocation_note(call,
                    "It has no password; minisign -C -s %s sets one\n"
                    "Next, for a publisher: gridctl key trust %s",
                    secret_path, public_path);
    return true;
}

bool key_trust(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct sign_public key;
    char id[SIGN_KEY_ID_HEX_SIZE], line[SIGN_PUBLIC_TEXT_SIZE];
    if (!sign_public_read(call->arguments[0], &key, e)) return false;
    sign_key_id(&key, id);
    if (call->settings->dry_run) return invocation_would(call, e, "trust publisher key %s", id);
    text_add_format(&body, "{\"public_key\":\"%s\"}", sign_public_text(&key, line));
    if (!api_send(call->api, "POST", "/api/keys", text_value(&body), &answer, e)) return false;
    if (!listing_changed(call, &answer, id, e, "publisher key %s is trusted", id)) return false;
    invocation_note(call,
                    "from now on a file is accepted only with a signature of a trusted publisher\n"
                    "Next: gridctl binary push FILE --key SECRETKEY");
    return true;
}

static bool remove_one(struct invocation *call, const char *id, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "stop trusting key %s", id);
    text_add(&path, "/api/keys");
    api_path_add(&path, id);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, id, e,
                           "publisher key %s is trusted no more; what it signed stays", id);
}

bool key_rm(struct invocation *call, struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(
            call, e, "Stop trusting %s? With no publisher left, unsigned files are accepted again.",
            call->arguments[0]))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, remove_one, e);
}
