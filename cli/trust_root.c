#include "cli/trust_root.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MIN_CHARACTERS 6 /* of a key's name on the command line: fewer hit by chance */

void trust_changes_add(struct trust_changes *c, const struct trust_change *change) {
    c->list = memory_resize(c->list, c->count + 1, sizeof *c->list);
    c->list[c->count++] = *change;
}

void trust_changes_clear(struct trust_changes *c) {
    free(c->list);
    *c = (struct trust_changes){0};
}

static void copy_signers(const struct tuf_signers *from, struct tuf_signers *to) {
    *to = (struct tuf_signers){.key_count = from->key_count, .threshold = from->threshold};
    to->key_ids = memory_zeroed(from->key_count + 1, sizeof *to->key_ids);
    if (from->key_count > 0)
        memcpy(to->key_ids, from->key_ids, from->key_count * sizeof *to->key_ids);
}

static void copy_root(const struct tuf_root *from, struct tuf_root *to) {
    *to = (struct tuf_root){.heading = from->heading,
                            .consistent_snapshot = from->consistent_snapshot};
    for (size_t i = 0; i < from->keys.count; i++) tuf_keys_add(&to->keys, &from->keys.list[i]);
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) copy_signers(&from->roles[i], &to->roles[i]);
}

static size_t position(const struct tuf_signers *s, const char *id) {
    size_t i = 0;
    while (i < s->key_count && strcmp(s->key_ids[i], id) != 0) i++;
    return i;
}

char *trust_key_name(const struct tuf_key *k, char out[SIGN_KEY_ID_HEX_SIZE]) {
    struct sign_public public;
    struct err ignored;
    if (tuf_key_public(k, &public, &ignored)) return sign_key_id(&public, out);
    text_cut(out, SIGN_KEY_ID_HEX_SIZE, k->id);
    return out;
}

void trust_key_names(const struct tuf_keys *keys, const struct tuf_signers *signers,
                     struct text *out) {
    char name[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < signers->key_count; i++) {
        const struct tuf_key *key = tuf_keys_find(keys, signers->key_ids[i]);
        text_add_format(out, "%s%s", i > 0 ? " " : "",
                        key != NULL ? trust_key_name(key, name) : "?");
    }
}

static bool grant(struct tuf_root *root, const struct trust_change *change, struct err *e) {
    struct tuf_signers *s = &root->roles[change->role];
    struct tuf_key key;
    tuf_key_of(&change->key, &key);
    bool known = tuf_signers_have(s, key.id);
    tuf_keys_add(&root->keys, &key);
    tuf_signers_add(s, key.id);
    char name[SIGN_KEY_ID_HEX_SIZE];
    trust_key_name(&key, name);
    tuf_key_clear(&key);
    return !known ||
           err_set(e, ERR_CONFLICT, "%s is a key of %s already", name, tuf_role_name(change->role));
}

static bool withdraw(struct tuf_root *root, const struct trust_change *change, struct err *e) {
    struct tuf_signers *s = &root->roles[change->role];
    size_t at = position(s, change->id);
    if (at == s->key_count)
        return err_set(e, ERR_CONFLICT, "%.64s is no key of %s", change->id,
                       tuf_role_name(change->role));
    memmove(s->key_ids[at], s->key_ids[at + 1], (s->key_count - at - 1) * sizeof *s->key_ids);
    s->key_count--;
    return true;
}

static bool apply(struct tuf_root *root, const struct trust_change *change, struct err *e) {
    switch (change->kind) {
    case TRUST_ADD:
        return grant(root, change, e);
    case TRUST_REMOVE:
        return withdraw(root, change, e);
    case TRUST_THRESHOLD:
        root->roles[change->role].threshold = change->threshold;
        break;
    }
    return true;
}

static bool reachable(const struct tuf_root *root, struct err *e) {
    for (enum tuf_role_kind role = TUF_ROOT; role < TUF_ROLE_COUNT; role++) {
        const struct tuf_signers *s = &root->roles[role];
        if (s->threshold >= 1 && (uint64_t)s->threshold <= s->key_count) continue;
        err_set(e, ERR_INVALID, "%s would need %lld signatures of %zu keys", tuf_role_name(role),
                (long long)s->threshold, s->key_count);
        return err_hint(e, "a threshold from 1 to the number of the role's keys");
    }
    return true;
}

bool trust_root_next(const struct tuf_root *current, const struct trust_changes *changes,
                     int64_t expires_ms, struct tuf_root *out, struct err *e) {
    bool fine = true;
    copy_root(current, out);
    out->heading.version = current->heading.version + 1;
    out->heading.expires_ms = expires_ms;
    for (size_t i = 0; i < changes->count && fine; i++) fine = apply(out, &changes->list[i], e);
    tuf_root_drop_unnamed(out);
    if (fine && reachable(out, e)) return true;
    tuf_root_clear(out);
    return false;
}

void trust_root_hand_over(const struct tuf_root *current, enum tuf_role_kind role,
                          const struct sign_public *keys, size_t count, int64_t threshold,
                          struct trust_changes *out) {
    const struct tuf_signers *s = &current->roles[role];
    OWN_MEMORY bool *stays = memory_zeroed(s->key_count + 1, sizeof *stays);
    for (size_t i = 0; i < count; i++) {
        struct tuf_key key;
        tuf_key_of(&keys[i], &key);
        size_t at = position(s, key.id);
        tuf_key_clear(&key);
        if (at == s->key_count)
            trust_changes_add(
                out, &(struct trust_change){.kind = TRUST_ADD, .role = role, .key = keys[i]});
        stays[at] = true;
    }
    for (size_t i = 0; i < s->key_count; i++) {
        struct trust_change removal = {.kind = TRUST_REMOVE, .role = role};
        memcpy(removal.id, s->key_ids[i], sizeof removal.id);
        if (!stays[i]) trust_changes_add(out, &removal);
    }
    trust_changes_add(
        out, &(struct trust_change){.kind = TRUST_THRESHOLD, .role = role, .threshold = threshold});
}

static bool begins(const char *whole, const char *word) {
    return strncasecmp(whole, word, strlen(word)) == 0;
}

bool trust_root_find(const struct tuf_root *root, enum tuf_role_kind role, const char *word,
                     char id[TUF_KEY_ID_SIZE], struct err *e) {
    const struct tuf_signers *s = &root->roles[role];
    OWN_TEXT struct text names = TEXT_EMPTY;
    char name[SIGN_KEY_ID_HEX_SIZE] = "";
    size_t found = 0;
    for (size_t i = 0; i < s->key_count && strlen(word) >= NAME_MIN_CHARACTERS; i++) {
        const struct tuf_key *key = tuf_keys_find(&root->keys, s->key_ids[i]);
        if (key != NULL) trust_key_name(key, name);
        if (!begins(s->key_ids[i], word) && !begins(name, word)) continue;
        memcpy(id, s->key_ids[i], TUF_KEY_ID_SIZE);
        found++;
    }
    if (found == 1) return true;
    trust_key_names(&root->keys, s, &names);
    if (found > 1) return err_set(e, ERR_INVALID, "%s fits several keys", word);
    err_set(e, ERR_NOT_FOUND, "%.64s is no key of %s", word, tuf_role_name(role));
    return err_hint(e, "its keys: %s", text_value(&names));
}

bool trust_root_word(const char *option, const char *word, enum tuf_role_kind *role,
                     const char **value, struct err *e) {
    char name[16];
    const char *equals = strchr(word, '=');
    if (equals != NULL && equals[1] != '\0' && (size_t)(equals - word) < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(equals - word), word);
        *value = equals + 1;
        if (tuf_role_parse(name, role)) return true;
    }
    err_set(e, ERR_USAGE, "%s takes ROLE=%s, not \"%s\"", option,
            strcmp(option, "--threshold") == 0 ? "N" : "KEY", word);
    return err_hint(e, "a role is one of root, targets, snapshot, timestamp");
}

size_t trust_signers_among(const struct tuf_signers *these, const struct tuf_signers *others) {
    size_t count = 0;
    for (size_t i = 0; i < these->key_count; i++)
        count += tuf_signers_have(others, these->key_ids[i]);
    return count;
}

bool trust_signers_differ(const struct tuf_signers *a, const struct tuf_signers *b) {
    return a->threshold != b->threshold || a->key_count != b->key_count ||
           trust_signers_among(a, b) != a->key_count;
}
