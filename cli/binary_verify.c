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

/* One role's word for a file. */
struct voucher {
    int64_t version, threshold;
    char *keys; /* lines, owned */
};
#define VOUCHER_FIELDS(role_, name_)                                                               \
    J_NAMED(JSON_INT, struct verdict, by[role_].version, name_ "_version", 0),                     \
        J_NAMED(JSON_INT, struct verdict, by[role_].threshold, name_ "_threshold", 0),             \
        J_NAMED(JSON_STRINGS, struct verdict, by[role_].keys, name_ "_keys", 0)

/* What is said of a file that is right. */
struct verdict {
    bool valid;
    char expected_checksum[SHA256_HEX_SIZE];
    bool yanked;
    struct voucher by[TUF_ROLE_COUNT];
};
static const struct json_field verdict_fields[] = {
    J(JSON_BOOL, struct verdict, valid, 0),   J(JSON_STRING, struct verdict, expected_checksum, 0),
    J(JSON_BOOL, struct verdict, yanked, 0),  VOUCHER_FIELDS(TUF_TARGETS, "targets"),
    VOUCHER_FIELDS(TUF_SNAPSHOT, "snapshot"), VOUCHER_FIELDS(TUF_TIMESTAMP, "timestamp"),
    VOUCHER_FIELDS(TUF_ROOT, "root"),
};
static const struct json_schema verdict_schema = JSON_SCHEMA(struct verdict, verdict_fields);

/* From what names the file to what all others follow from. Targets of a grid delegate to nobody. */
static const enum tuf_role_kind chain[] = {TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP, TUF_ROOT};
#define CHAIN_LENGTH (sizeof chain / sizeof chain[0])

/* The keys of the role whose signatures are on its metadata, a line each. */
static char *keys_on(const struct text *metadata, const struct tuf_root *root,
                     enum tuf_role_kind role) {
    OWN_TEXT struct text lines = TEXT_EMPTY;
    const struct tuf_signers *signers = &root->roles[role];
    char name[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < signers->key_count; i++)
        if (trust_bytes_signed_by(metadata, &root->keys, signers->key_ids[i]))
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

static bool take_versions(const struct trust_base *base, struct voucher by[TUF_ROLE_COUNT],
                          struct err *e) {
    const struct text *files = base->proven;
    struct tuf_timestamp timestamp;
    struct tuf_snapshot snapshot;
    if (!tuf_timestamp_parse(text_value(&files[TUF_TIMESTAMP]), files[TUF_TIMESTAMP].length,
                             &timestamp, e) ||
        !tuf_snapshot_parse(text_value(&files[TUF_SNAPSHOT]), files[TUF_SNAPSHOT].length, &snapshot,
                            e))
        return false;
    by[TUF_ROOT].version = base->root.root.heading.version;
    by[TUF_TIMESTAMP].version = timestamp.heading.version;
    by[TUF_SNAPSHOT].version = snapshot.heading.version;
    by[TUF_TARGETS].version = base->targets.targets.heading.version;
    tuf_snapshot_clear(&snapshot);
    return true;
}

static bool take_vouchers(const struct trust_base *base, struct verdict *out, struct err *e) {
    const struct tuf_root *root = &base->root.root;
    if (!take_versions(base, out->by, e)) return false;
    for (size_t i = 0; i < CHAIN_LENGTH; i++) {
        enum tuf_role_kind role = chain[i];
        const struct text *metadata = role == TUF_ROOT      ? &base->root.bytes
                                      : role == TUF_TARGETS ? &base->targets.bytes
                                                            : &base->proven[role];
        out->by[role].threshold = root->roles[role].threshold;
        out->by[role].keys = keys_on(metadata, root, role);
    }
    return true;
}

/* As an agent does: by the targets that a chain of roots proves. */
static bool verify_targets(struct invocation *call, const struct binary_file *file,
                           struct verdict *out, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    struct tuf_custom custom;
    if (!trust_fetch(call, &base, e)) return false;
    const struct tuf_target *t = tuf_targets_find(&base.targets.targets, file->name);
    if (t == NULL) return refuse_unnamed(file, &base, e);
    if (strcmp(t->promise.sha256, file->sha256) != 0 || t->promise.length != file->size_bytes)
        return err_set(e, ERR_UNTRUSTED,
                       "%s is not %s: its SHA-256 is %.12s..., the trusted targets say %.12s...",
                       file->path, file->name, file->sha256, t->promise.sha256);
    if (!tuf_custom_of(t, &custom, e)) return false;
    *out = (struct verdict){.valid = true, .yanked = custom.yanked};
    memcpy(out->expected_checksum, file->sha256, sizeof out->expected_checksum);
    return take_vouchers(&base, out, e);
}

static void add_voucher(enum tuf_role_kind role, const struct voucher *v, struct text *out) {
    text_add_format(out, "%s %lld by", tuf_role_name(role), (long long)v->version);
    for (const char *at = v->keys; at != NULL && *at != '\0'; at += strspn(at, "\n")) {
        size_t length = strcspn(at, "\n");
        text_add_format(out, " %.*s", (int)length, at);
        at += length;
    }
    text_add_format(out, " (%lld needed)", (long long)v->threshold);
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
    for (size_t i = 0; i < CHAIN_LENGTH; i++) {
        if (i > 0) text_add(&out, ", ");
        add_voucher(chain[i], &v->by[chain[i]], &out);
    }
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
    for (size_t i = 0; i < CHAIN_LENGTH; i++) free(verdict.by[chain[i]].keys);
    return done;
}
