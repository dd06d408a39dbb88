/* Exchanging keys: those at the master by new ones, or by keys that are kept elsewhere. */
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/listing.h"
#include "cli/trust_fetch.h"
#include "cli/trust_next.h"
#include "lib/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --role snapshot,timestamp as a JSON array. */
static bool roles_json(const char *given, struct text *out, struct err *e) {
    char words[SETTINGS_WORD_SIZE], *rest = NULL;
    snprintf(words, sizeof words, "%s", given);
    text_add(out, "{\"roles\":[");
    for (char *word = strtok_r(words, ",", &rest); word != NULL;
         word = strtok_r(NULL, ",", &rest)) {
        enum tuf_role_kind role;
        if (!tuf_role_parse(word, &role)) {
            err_set(e, ERR_USAGE, "there is no role \"%s\"", word);
            return err_hint(e, "--role takes root, targets, snapshot, timestamp, with commas");
        }
        text_add(out, out->data[out->length - 1] == '[' ? "" : ",");
        json_quote(word, out);
    }
    text_add(out, "]}");
    return true;
}

/* The master has made keys that only a root of somebody else can bring into force. */
static bool replace_by_next(const struct trust_base *base, const struct answer_trust_role *role,
                            struct trust_changes *changes, struct err *e) {
    enum tuf_role_kind kind;
    struct sign_public next;
    if (role->next == NULL) return true;
    if (!tuf_role_parse(role->name, &kind) || !sign_public_parse(role->next, &next, e))
        return err_wrap(e, "the master's answer");
    trust_root_hand_over(&base->root.root, kind, &next, 1, 1, changes);
    return true;
}

static bool deliver_next(struct invocation *call, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_CHANGES struct trust_changes changes = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_KEY_RING struct key_ring ring = {0};
    if (!trust_fetch_all(call, &base, e)) return false;
    assert(base.master != NULL); /* there is no --metadata */
    for (size_t i = 0; i < base.master->roles_count; i++)
        if (!replace_by_next(&base, &base.master->roles[i], &changes, e)) return false;
    return trust_next_root(&base, &changes, call->settings->trust.life_ms, &draft, e) &&
           key_ring_read(&ring, call->settings->keys, e) &&
           trust_draft_deliver(call, &draft, &base, &ring, e);
}

static bool has_next(const struct http_answer *answer) {
    struct answer_trust trust;
    struct err ignored;
    bool found = false;
    if (!answer_decode(&answer_trust_schema, answer, &trust, &ignored)) return false;
    for (size_t i = 0; i < trust.roles_count; i++) found = found || trust.roles[i].next != NULL;
    json_clear(&answer_trust_schema, &trust);
    return found;
}

static bool confirm_rotation(const struct invocation *call, const char *roles, struct err *e) {
    return invocation_confirm(
        call, e,
        "The master makes new keys of %.100s and wipes the old ones once a root names the new. "
        "Agents "
        "go over to them by themselves at their next look; nodes run on meanwhile. Go on?",
        roles);
}

static bool rotate_here(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    const char *roles = call->settings->trust.roles;
    const char *named = roles[0] != '\0' ? roles : "snapshot,timestamp";
    if (!roles_json(named, &body, e)) return false;
    if (call->settings->dry_run)
        return invocation_would(call, e, "have the master make new keys of %s", named);
    if (!confirm_rotation(call, named, e)) return false;
    if (!api_send(call->api, "POST", "/api/trust/rotate", text_value(&body), &answer, e))
        return false;
    if (has_next(&answer)) return deliver_next(call, e);
    return listing_changed(call, &answer, named, e, "%s: new keys, made by the master", named);
}

/* Keys of one role: public halves of whatever file; secret ones sign at once. */
struct handed {
    struct sign_public keys[KEY_RING_MAX];
    size_t count;
};

static bool read_keys(const char *paths, const char *option, struct handed *out,
                      struct key_ring *ring, struct err *e) {
    char path[PATH_MAX];
    while (settings_next(&paths, path)) {
        struct sign_secret *secret = NULL;
        if (out->count == KEY_RING_MAX)
            return err_set(e, ERR_USAGE, "--%s takes at most %d keys", option, KEY_RING_MAX);
        if (!key_file_public(path, &out->keys[out->count++], &secret, e)) return false;
        if (secret != NULL && !key_ring_add(ring, secret, e)) return false;
    }
    if (out->count > 0) return true;
    err_set(e, ERR_USAGE, "key rotate --offline needs --%s FILE", option);
    return err_hint(e, "a .key file to sign with now, or a .pub file of who signs elsewhere");
}

static bool hand_over(struct invocation *call, const struct trust_base *base,
                      struct trust_changes *changes, struct key_ring *ring, struct err *e) {
    const struct settings *s = call->settings;
    struct handed root = {0}, targets = {0};
    if (!read_keys(s->trust.root_keys, "root-key", &root, ring, e) ||
        !read_keys(s->trust.targets_keys, "targets-key", &targets, ring, e) ||
        !key_ring_read(ring, s->keys, e))
        return false;
    trust_root_hand_over(&base->root.root, TUF_ROOT, root.keys, root.count, s->trust.root_threshold,
                         changes);
    trust_root_hand_over(&base->root.root, TUF_TARGETS, targets.keys, targets.count,
                         s->trust.targets_threshold, changes);
    return true;
}

static bool rotate_offline(struct invocation *call, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_CHANGES struct trust_changes changes = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_KEY_RING struct key_ring ring = {0};
    return trust_fetch_all(call, &base, e) && hand_over(call, &base, &changes, &ring, e) &&
           trust_next_root(&base, &changes, call->settings->trust.life_ms, &draft, e) &&
           trust_draft_deliver(call, &draft, &base, &ring, e);
}

/* Keys that the master makes replace one another, one for each role. */
static bool says_who_signs(const struct settings *s) {
    return s->trust.root_keys != NULL || s->trust.targets_keys != NULL ||
           s->trust.root_threshold != 1 || s->trust.targets_threshold != 1;
}

bool key_rotate(struct invocation *call, struct err *e) {
    const struct settings *s = call->settings;
    if (says_who_signs(s) && !s->trust.offline) {
        err_set(e, ERR_USAGE, "keys and thresholds of root and targets go with --offline");
        return err_hint(e, "without it the master only makes new keys of its own; other thresholds "
                           "alone: gridctl key root");
    }
    return s->trust.offline ? rotate_offline(call, e) : rotate_here(call, e);
}
