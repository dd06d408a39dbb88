#include "cli/trust_fetch.h"

#include "cli/answers.h"
#include "cli/api.h"

#include <stdio.h>
#include <string.h>

bool trust_fetch_file(struct invocation *call, const char *file, struct text *out, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add(&path, "/tuf/metadata");
    api_path_add(&path, file);
    if (!api_get(call->api, text_value(&path), &answer, e)) return err_wrap(e, "%s", file);
    text_add_bytes(out, text_value(&answer.body), answer.body.length);
    return true;
}

static bool fetch_numbered(struct invocation *call, int64_t version, const char *role,
                           struct text *out, struct err *e) {
    char file[64];
    snprintf(file, sizeof file, "%lld.%s.json", (long long)version, role);
    return trust_fetch_file(call, file, out, e);
}

/* By way of timestamp and snapshot, as agents find it. */
static bool targets_version(struct invocation *call, int64_t *version, struct err *e) {
    OWN_TEXT struct text timestamp_bytes = TEXT_EMPTY, snapshot_bytes = TEXT_EMPTY;
    struct tuf_timestamp timestamp;
    struct tuf_snapshot snapshot;
    if (!trust_fetch_file(call, "timestamp.json", &timestamp_bytes, e) ||
        !tuf_timestamp_parse(text_value(&timestamp_bytes), timestamp_bytes.length, &timestamp, e) ||
        !fetch_numbered(call, timestamp.snapshot.version, "snapshot", &snapshot_bytes, e) ||
        !tuf_snapshot_parse(text_value(&snapshot_bytes), snapshot_bytes.length, &snapshot, e))
        return false;
    const struct tuf_snapshot_entry *entry = tuf_snapshot_find(&snapshot, "targets");
    *version = entry != NULL ? entry->promise.version : 0;
    tuf_snapshot_clear(&snapshot);
    return entry != NULL || err_set(e, ERR_CORRUPT, "the master's snapshot names no targets");
}

static bool fetch_parsed(struct invocation *call, const char *file, enum tuf_role_kind role,
                         struct trust_file *out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    if (!trust_fetch_file(call, file, &bytes, e)) return false;
    if (!trust_file_parse(&bytes, out, e)) return err_wrap(e, "the master's %s", file);
    if (out->role == role) return true;
    return err_set(e, ERR_CORRUPT, "the master's %s is metadata of %s", file,
                   tuf_role_name(out->role));
}

static bool fetch_both(struct invocation *call, struct trust_base *out, struct err *e) {
    char file[64];
    int64_t version;
    if (!fetch_parsed(call, "root.json", TUF_ROOT, &out->root, e) ||
        !targets_version(call, &version, e))
        return false;
    snprintf(file, sizeof file, "%lld.targets.json", (long long)version);
    if (!fetch_parsed(call, file, TUF_TARGETS, &out->targets, e)) return false;
    return tuf_verify(text_value(&out->targets.bytes), out->targets.bytes.length, "targets",
                      &out->root.root.keys, &out->root.root.roles[TUF_TARGETS], NULL, e) ||
           err_wrap(e, "the master's metadata");
}

static bool read_given(const char *path, struct trust_base *out, struct err *e) {
    OWN_TRUST_FILE struct trust_file file = {0};
    if (!trust_file_read(path, &file, e)) return false;
    struct trust_file *place = file.role == TUF_ROOT ? &out->root : &out->targets;
    if (trust_file_present(place))
        return err_set(e, ERR_USAGE, "--metadata names two files of %s", tuf_role_name(file.role));
    *place = file;
    file = (struct trust_file){0};
    return true;
}

bool trust_fetch(struct invocation *call, struct trust_base *out, struct err *e) {
    const char *given = call->settings->trust.metadata;
    char path[PATH_MAX];
    if (given == NULL || *given == '\0') return fetch_both(call, out, e);
    while (settings_next(&given, path))
        if (!read_given(path, out, e)) return false;
    return true;
}

static void add_here(const struct answer_trust *trust, struct tuf_signers *here) {
    for (size_t r = 0; r < trust->roles_count; r++) {
        const struct answer_trust_role *role = &trust->roles[r];
        for (size_t k = 0; k < role->keys_count; k++) {
            if (!role->keys[k].here) continue;
            here->key_ids =
                memory_resize(here->key_ids, here->key_count + 1, sizeof *here->key_ids);
            text_cut(here->key_ids[here->key_count++], TUF_KEY_ID_SIZE, role->keys[k].id);
        }
    }
}

bool trust_fetch_all(struct invocation *call, struct trust_base *out, struct answer_trust *trust,
                     struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    if (!api_get(call->api, "/api/trust", &answer, e) ||
        !answer_decode(&answer_trust_schema, &answer, trust, e))
        return false;
    if (fetch_both(call, out, e)) {
        add_here(trust, &out->here);
        return true;
    }
    json_clear(&answer_trust_schema, trust);
    return false;
}
