/* binary verify: whether a file is what the master publishes, and whose keys say so to agents. */
#include "cli/binary_file.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/trust_fetch.h"
#include "cli/trust_root.h"
#include "lib/json.h"
#include "lib/sign.h"
#include "lib/tuf_custom.h"

#include <string.h>

/* The signature beside the file, else the one by which the master vouches for it. */
static bool find_signature(struct invocation *call, const struct binary_file *file,
                           struct text *out, struct err *e) {
    bool found;
    if (!binary_file_signature(file, call->settings, out, &found, e)) return false;
    if (found) return true;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add(&path, "/binaries");
    api_path_add(&path, file->name);
    text_add(&path, ".minisig");
    if (!api_get(call->api, text_value(&path), &answer, e)) return err_wrap(e, "signature");
    text_add_bytes(out, text_value(&answer.body), answer.body.length);
    return true;
}

static bool verify_signature(struct invocation *call, const struct binary_file *file,
                             char key_id[SIGN_KEY_ID_HEX_SIZE], struct err *e) {
    struct sign_public key;
    OWN_TEXT struct text signature = TEXT_EMPTY;
    if (!sign_public_read(call->settings->key_file, &key, e)) return err_wrap(e, "key file");
    if (!find_signature(call, file, &signature, e)) return false;
    sign_key_id(&key, key_id);
    return sign_verify_file(&key, 1, text_value(&signature), file->fd, file->name, NULL, e) ||
           err_wrap(e, "%s", file->path);
}

static bool verify_checksum(struct invocation *call, const struct binary_file *file,
                            struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, body = TEXT_EMPTY;
    struct answer_validity validity;
    binary_path(&file->id, "verify", &path);
    text_add_format(&body, "{\"checksum\":\"%s\"}", file->sha256);
    if (!api_send(call->api, "POST", text_value(&path), text_value(&body), &answer, e))
        return false;
    if (!answer_decode(&answer_validity_schema, &answer, &validity, e)) return false;
    bool valid = validity.valid;
    if (!valid) {
        err_set(e, ERR_UNTRUSTED,
                "%s is not %s: its SHA-256 is %.12s..., the published one is %.12s...", file->path,
                file->name, file->sha256, format_or(validity.expected_checksum, "?"));
        err_hint(e, "download it again from the master: /binaries/%.120s", file->name);
    }
    json_clear(&answer_validity_schema, &validity);
    return valid;
}

/* What is said of a file that is right. */
struct verdict {
    bool valid;
    char expected_checksum[SHA256_HEX_SIZE];
    bool yanked;
    int64_t targets_version, targets_threshold;
    char *targets_keys; /* lines, owned */
    int64_t root_version, root_threshold;
    char *root_keys; /* the same */
};
static const struct json_field verdict_fields[] = {
    J(JSON_BOOL, struct verdict, valid, 0),
    J(JSON_STRING, struct verdict, expected_checksum, 0),
    J(JSON_BOOL, struct verdict, yanked, 0),
    J(JSON_INT, struct verdict, targets_version, 0),
    J(JSON_INT, struct verdict, targets_threshold, 0),
    J(JSON_STRINGS, struct verdict, targets_keys, 0),
    J(JSON_INT, struct verdict, root_version, 0),
    J(JSON_INT, struct verdict, root_threshold, 0),
    J(JSON_STRINGS, struct verdict, root_keys, 0),
};
static const struct json_schema verdict_schema = JSON_SCHEMA(struct verdict, verdict_fields);

/* The keys of the role whose signatures are on the file, a line each. */
static char *keys_on(const struct trust_file *f, const struct tuf_root *root,
                     enum tuf_role_kind role) {
    OWN_TEXT struct text lines = TEXT_EMPTY;
    const struct tuf_signers *signers = &root->roles[role];
    char name[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < signers->key_count; i++)
        if (trust_file_signed_by(f, &root->keys, signers->key_ids[i]))
            text_add_format(&lines, "%s%s", lines.length > 0 ? "\n" : "",
                            trust_key_name(tuf_keys_find(&root->keys, signers->key_ids[i]), name));
    return text_take(&lines);
}

static bool refuse_unnamed(const struct binary_file *file, const struct trust_base *base,
                           struct err *e) {
    err_set(e, ERR_UNTRUSTED,
            "%s is not among the trusted targets (version %lld): agents refuse it", file->name,
            (long long)base->targets.targets.heading.version);
    return err_hint(e, "where the key is: gridctl binary sign FILE, then gridctl binary push FILE");
}

/* As an agent does: by the targets that a chain of roots proves. */
static bool verify_targets(struct invocation *call, const struct binary_file *file,
                           struct verdict *out, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    struct tuf_custom custom;
    if (!trust_fetch(call, &base, e)) return false;
    const struct tuf_root *root = &base.root.root;
    const struct tuf_target *t = tuf_targets_find(&base.targets.targets, file->name);
    if (t == NULL) return refuse_unnamed(file, &base, e);
    if (strcmp(t->promise.sha256, file->sha256) != 0 || t->promise.length != file->size_bytes)
        return err_set(e, ERR_UNTRUSTED,
                       "%s is not %s: its SHA-256 is %.12s..., the trusted targets say %.12s...",
                       file->path, file->name, file->sha256, t->promise.sha256);
    if (!tuf_custom_of(t, &custom, e)) return false;
    *out = (struct verdict){.valid = true,
                            .yanked = custom.yanked,
                            .targets_version = base.targets.targets.heading.version,
                            .targets_threshold = root->roles[TUF_TARGETS].threshold,
                            .targets_keys = keys_on(&base.targets, root, TUF_TARGETS),
                            .root_version = root->heading.version,
                            .root_threshold = root->roles[TUF_ROOT].threshold,
                            .root_keys = keys_on(&base.root, root, TUF_ROOT)};
    memcpy(out->expected_checksum, file->sha256, sizeof out->expected_checksum);
    return true;
}

static void add_keys(const char *role, int64_t version, int64_t threshold, const char *lines,
                     struct text *out) {
    text_add_format(out, "%s %lld by", role, (long long)version);
    for (const char *at = lines; at != NULL && *at != '\0'; at += strspn(at, "\n")) {
        size_t length = strcspn(at, "\n");
        text_add_format(out, " %.*s", (int)length, at);
        at += length;
    }
    text_add_format(out, " (%lld needed)", (long long)threshold);
}

static bool report(const struct invocation *call, const struct binary_file *file,
                   const struct verdict *v, const char *key_id, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    if (call->format == OUTPUT_JSON) {
        json_encode(&verdict_schema, v, &out);
        text_add(&out, "\n");
        return output_emit(&out, e);
    }
    text_add_format(&out, "%s is %s, SHA-256 %s%s%s%s\nvouched for by ", file->path, file->name,
                    file->sha256, key_id[0] != '\0' ? ", signed by key " : "", key_id,
                    v->yanked ? ", yanked: agents do not begin to run it" : "");
    add_keys("targets", v->targets_version, v->targets_threshold, v->targets_keys, &out);
    text_add(&out, ", ");
    add_keys("root", v->root_version, v->root_threshold, v->root_keys, &out);
    text_add(&out, "\n");
    return output_emit(&out, e);
}

bool binary_verify(struct invocation *call, struct err *e) {
    OWN_BINARY_FILE struct binary_file file = {.fd = -1};
    struct verdict verdict = {0};
    char key_id[SIGN_KEY_ID_HEX_SIZE] = "";
    if (!binary_file_open(call->arguments[0], call->settings, &file, e)) return false;
    if (call->settings->key_file[0] != '\0' && !verify_signature(call, &file, key_id, e))
        return false;
    if (!verify_checksum(call, &file, e) || !verify_targets(call, &file, &verdict, e)) return false;
    bool done = report(call, &file, &verdict, key_id, e);
    free(verdict.targets_keys);
    free(verdict.root_keys);
    return done;
}
