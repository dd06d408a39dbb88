/* key root, key targets: what comes after the metadata in force, changed as the options say. */
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/trust_fetch.h"
#include "cli/trust_next.h"
#include "cli/trust_targets.h"
#include "lib/clock.h"
#include "lib/semver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool read_addition(const char *word, const struct tuf_root *root,
                          struct trust_change *change, struct err *e) {
    const char *file;
    (void)root;
    change->kind = TRUST_ADD;
    return trust_root_word("--add", word, &change->role, &file, e) &&
           key_file_public(file, &change->key, NULL, e);
}

/* A key that goes is named by its id or by its file. */
static bool read_removal(const char *word, const struct tuf_root *root, struct trust_change *change,
                         struct err *e) {
    const char *value;
    struct sign_public key;
    char name[SIGN_KEY_ID_HEX_SIZE];
    change->kind = TRUST_REMOVE;
    if (!trust_root_word("--remove", word, &change->role, &value, e)) return false;
    if (access(value, F_OK) == 0) {
        struct tuf_key named;
        if (!key_file_public(value, &key, NULL, e)) return false;
        tuf_key_of(&key, &named);
        value = trust_key_name(&named, name);
        tuf_key_clear(&named);
    }
    return trust_root_find(root, change->role, value, change->id, e);
}

static bool read_threshold(const char *word, const struct tuf_root *root,
                           struct trust_change *change, struct err *e) {
    const char *value;
    char *end = NULL;
    (void)root;
    change->kind = TRUST_THRESHOLD;
    if (!trust_root_word("--threshold", word, &change->role, &value, e)) return false;
    change->threshold = strtoll(value, &end, 10);
    return *end == '\0' || err_set(e, ERR_USAGE, "--threshold takes ROLE=N, not \"%s\"", word);
}

typedef bool read_change(const char *word, const struct tuf_root *root, struct trust_change *change,
                         struct err *e);

static bool read_all(const char *words, const struct tuf_root *root, read_change *read,
                     struct trust_changes *out, struct err *e) {
    char word[PATH_MAX];
    while (settings_next(&words, word)) {
        struct trust_change change = {0};
        if (!read(word, root, &change, e)) return false;
        trust_changes_add(out, &change);
    }
    return true;
}

bool key_root(struct invocation *call, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_CHANGES struct trust_changes changes = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_KEY_RING struct key_ring ring = {0};
    const struct settings *s = call->settings;
    return trust_fetch_all(call, &base, e) &&
           read_all(s->trust.add, &base.root.root, read_addition, &changes, e) &&
           read_all(s->trust.remove, &base.root.root, read_removal, &changes, e) &&
           read_all(s->trust.thresholds, &base.root.root, read_threshold, &changes, e) &&
           trust_next_root(&base, &changes, s->trust.life_ms, &draft, e) &&
           key_ring_read(&ring, s->keys, e) && trust_draft_deliver(call, &draft, &base, &ring, e);
}

typedef bool change_targets(struct tuf_targets *t, const char *word, struct err *e);

static bool change_all(struct tuf_targets *t, const char *words, change_targets *change,
                       struct err *e) {
    char word[PATH_MAX];
    while (settings_next(&words, word))
        if (!change(t, word, e)) return false;
    return true;
}

/* "storage-server=1.1.0", "storage-server=none" */
static bool change_floor(struct tuf_targets *t, const char *word, struct err *e) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", word);
    char *equals = strchr(name, '=');
    if (equals != NULL) *equals = '\0';
    bool none = equals != NULL && strcmp(equals + 1, "none") == 0;
    if (equals == NULL || (!none && !semver_valid(equals + 1))) {
        err_set(e, ERR_USAGE, "--floor takes ARTIFACT=VERSION, not \"%s\"", word);
        return err_hint(e, "--floor storage-server=1.1.0, or storage-server=none");
    }
    return trust_targets_floor(t, name, none ? NULL : equals + 1, e);
}

static bool targets_known(const struct trust_base *base, struct err *e) {
    if (trust_file_present(&base->targets)) return true;
    err_set(e, ERR_USAGE, "the targets in force are not known");
    return err_hint(e, "--metadata TARGETS.json, or ask the master by --url");
}

bool key_targets(struct invocation *call, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_TRUST_FILE struct trust_file copy = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_KEY_RING struct key_ring ring = {0};
    const struct settings *s = call->settings;
    int64_t life_ms = s->trust.life_ms > 0 ? s->trust.life_ms : TRUST_TARGETS_LIFE_MS;
    if (!trust_fetch_all(call, &base, e) || !targets_known(&base, e) ||
        !trust_file_copy(&base.targets, &copy, e))
        return false;
    trust_targets_renew(&copy.targets, clock_wall_ms(), life_ms);
    return change_all(&copy.targets, s->trust.yank, trust_targets_yank, e) &&
           change_all(&copy.targets, s->trust.drop, trust_targets_remove, e) &&
           change_all(&copy.targets, s->trust.floors, change_floor, e) &&
           trust_file_of_targets(&copy.targets, &draft.targets, e) &&
           key_ring_read(&ring, s->keys, e) && trust_draft_deliver(call, &draft, &base, &ring, e);
}
