/* The part of agent/trust.h about the first root, and about where metadata lie and come from. */
#include "agent/trust_internal.h"

#include "lib/encode.h"
#include "lib/file.h"
#include "lib/http_client.h"
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define BRIDGE "1.root.json"

enum { ANCHOR_SIZE = 128, SIGNATURE_MAX = 4096, FETCH_MS = 30000, MIRROR_ANSWER_MAX = 1 << 20 };

static const char *path_of(const struct trust *t, const char *file, char out[STATE_PATH_SIZE]) {
    return state_path(t->options.state, out, "tuf/%s", file);
}

static bool load(void *trust, const char *file, struct text *out, struct err *e) {
    char path[STATE_PATH_SIZE];
    return file_read(path_of(trust, file, path), TUF_TARGETS_MAX_BYTES, out, e);
}

static bool save(void *trust, const char *file, const char *bytes, size_t length, struct err *e) {
    struct trust *t = trust;
    char path[STATE_PATH_SIZE];
    path_of(t, file, path);
    if (bytes != NULL) return file_write_durable(path, bytes, length, 0600, e);
    if (!file_remove_durable(path, e)) return false;
    if (strcmp(file, "timestamp.json") != 0) return true;
    pthread_mutex_lock(&t->lock);
    struct trust_clock clock = t->clock;
    pthread_mutex_unlock(&t->lock);
    if (!trust_clock_reset(&clock, t->options.state, e)) return false;
    pthread_mutex_lock(&t->lock);
    t->clock = clock;
    pthread_mutex_unlock(&t->lock);
    return true;
}

static bool go_on(void *trust, int64_t done_bytes, int64_t total_bytes) {
    struct trust *t = trust;
    (void)done_bytes;
    (void)total_bytes;
    return !atomic_load(&t->stopping);
}

bool trust_fetch(void *trust, const char *file, size_t max_bytes, struct text *out, struct err *e) {
    struct trust *t = trust;
    OWN_TEXT struct text url = TEXT_EMPTY;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    text_add_format(&url, "%s/tuf/metadata/", t->from.url);
    encode_url(&url, file);
    const struct http_call call = {.url = url.data,
                                   .trust.pin = t->from.pin[0] != '\0' ? t->from.pin : NULL,
                                   .timeout_ms = FETCH_MS,
                                   .answer_max_bytes = max_bytes,
                                   .progress = go_on,
                                   .progress_argument = t};
    if (!http_call_ok(&call, &answer, e)) return false;
    text_add_bytes(out, text_value(&answer.body), answer.body.length);
    return true;
}

/* Whether the mirror answers that it has no metadata: it may be one of builds alone, and stores of
 * objects say so in several ways. */
static bool mirror_lacks_metadata(struct trust *t) {
    struct err e = {0};
    OWN_TEXT struct text ignored = TEXT_EMPTY;
    if (trust_fetch(t, "timestamp.json", MIRROR_ANSWER_MAX, &ignored, &e)) return false;
    return e.code == ERR_NOT_FOUND || e.code == ERR_DENIED || e.code == ERR_UNAUTHENTICATED;
}

bool trust_choose_place(struct trust *t, struct err *e) {
    const struct trust_place master = t->from;
    bool lacked = t->mirror_lacks;
    bool other = t->mirror.url[0] != '\0' && strcmp(t->mirror.url, master.url) != 0;
    if (other) t->from = t->mirror;
    t->mirror_lacks = other && mirror_lacks_metadata(t);
    if (other && !t->mirror_lacks) return true;
    if (other && !lacked) log_info("trust.mirror_passed_over", "url=%s", t->mirror.url);
    t->from = master;
    return master.url[0] != '\0' ||
           err_set(e, ERR_UNAVAILABLE, "the master has not said yet where its metadata are");
}

static bool open_client(struct trust *t, struct err *e) {
    const struct tuf_client_options options = {
        .argument = t, .load = load, .save = save, .fetch = trust_fetch};
    return tuf_client_open(&t->client, &options, e);
}

static void describe_anchor(const struct trust_anchor *a, char out[ANCHOR_SIZE]) {
    char key[SIGN_PUBLIC_TEXT_SIZE];
    if (a->root_version > 0)
        snprintf(out, ANCHOR_SIZE, "%lld.%s", (long long)a->root_version, a->root_sha256);
    else
        snprintf(out, ANCHOR_SIZE, "%s", sign_public_text(&a->release_key, key));
}

/* Whether what lies there began with this anchor: an agent that joins another grid, or one whose
 * root was lost, begins anew. */
static bool is_anchored(const struct trust *t) {
    char path[STATE_PATH_SIZE], anchor[ANCHOR_SIZE];
    OWN_TEXT struct text noted = TEXT_EMPTY;
    describe_anchor(&t->options.anchor, anchor);
    return file_read(path_of(t, "anchor", path), ANCHOR_SIZE, &noted, NULL) &&
           strcmp(text_value(&noted), anchor) == 0;
}

bool trust_load_root(struct trust *t) {
    struct err e = {0};
    if (!is_anchored(t)) return false;
    if (open_client(t, &e)) return true;
    if (e.code != ERR_NOT_FOUND) log_warn("trust.damaged", "error=%s", e.text);
    return false;
}

static bool check_digest(const struct trust_anchor *a, const struct text *root,
                         enum tuf_attack *attack, struct err *e) {
    OWN(sha256) struct sha256 *hash = sha256_begin();
    char found[SHA256_HEX_SIZE];
    sha256_add(hash, text_value(root), root->length);
    sha256_hex(hash, found);
    if (strcmp(found, a->root_sha256) == 0) return true;
    *attack = TUF_MIX_AND_MATCH;
    err_set(e, ERR_UNTRUSTED,
            "%lld.root.json has SHA-256 %.12s... instead of %.12s..., which the join string names",
            (long long)a->root_version, found, a->root_sha256);
    return err_hint(e, "get a new join string with `gridctl agent join-command`");
}

static bool check_release_signature(struct trust *t, const struct text *root,
                                    enum tuf_attack *attack, struct err *e) {
    OWN_TEXT struct text signature = TEXT_EMPTY;
    size_t used = 0;
    if (!trust_fetch(t, BRIDGE ".minisig", SIGNATURE_MAX, &signature, e)) return false;
    OWN_FD int fd = memfd_create(BRIDGE, MFD_CLOEXEC);
    if (fd < 0 || !file_write_all(fd, root->data, root->length))
        return err_errno(e, errno, "keep " BRIDGE " in memory");
    if (sign_verify_file(&t->options.anchor.release_key, 1, text_value(&signature), fd, BRIDGE,
                         &used, e))
        return true;
    *attack = TUF_UNSIGNED;
    if (e != NULL) e->code = ERR_UNTRUSTED;
    return err_wrap(e, BRIDGE " by the release key");
}

/* What went before is another grid's, and goes before the new root comes. */
static bool drop_others(struct trust *t, struct err *e) {
    static const char *const others[] = {"timestamp.json", "snapshot.json", "targets.json"};
    if (is_anchored(t)) return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!save(t, others[i], NULL, 0, e)) return false;
    return true;
}

static bool keep_root(struct trust *t, const struct text *root, struct err *e) {
    char path[STATE_PATH_SIZE], anchor[ANCHOR_SIZE];
    describe_anchor(&t->options.anchor, anchor);
    return drop_others(t, e) && save(t, "root.json", text_value(root), root->length, e) &&
           file_write_durable(path_of(t, "anchor", path), anchor, strlen(anchor), 0600, e);
}

static bool fetch_root(struct trust *t, struct text *out, enum tuf_attack *attack, struct err *e) {
    const struct trust_anchor *a = &t->options.anchor;
    char file[64];
    bool pinned = a->root_version > 0;
    snprintf(file, sizeof file, "%lld.root.json", pinned ? (long long)a->root_version : 1LL);
    if (!trust_fetch(t, file, TUF_ROOT_MAX_BYTES, out, e)) {
        if (e->code == ERR_TOO_LARGE) *attack = TUF_ENDLESS;
        if (e->code != ERR_NOT_FOUND) return false;
        err_set(e, ERR_NOT_FOUND, "the master publishes no %s", file);
        return err_hint(e, "run a grid-master of this version or newer");
    }
    return pinned ? check_digest(a, out, attack, e) : check_release_signature(t, out, attack, e);
}

bool trust_find_root(struct trust *t, enum tuf_attack *attack, struct err *e) {
    OWN_TEXT struct text root = TEXT_EMPTY;
    if (t->client != NULL || trust_load_root(t)) return true;
    if (!fetch_root(t, &root, attack, e) || !keep_root(t, &root, e)) return false;
    if (open_client(t, e)) {
        log_info("trust.root", "version=%lld",
                 (long long)tuf_client_root(t->client)->heading.version);
        return true;
    }
    if (e->code == ERR_CORRUPT) *attack = TUF_MALFORMED;
    return false;
}
