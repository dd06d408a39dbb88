#include "cli/trust_words.h"

#include "cli/answers.h"
#include "cli/format.h"
#include "cli/trust_root.h"
#include "cli/trust_targets.h"
#include "lib/clock.h"
#include "lib/json.h"

#include <string.h>

void trust_base_fini(struct trust_base *b) {
    trust_file_fini(&b->root);
    trust_file_fini(&b->targets);
    for (size_t role = 0; role < TUF_ROLE_COUNT; role++) text_fini(&b->proven[role]);
    if (b->master != NULL) json_clear(&answer_trust_schema, b->master);
    free(b->master);
    free(b->here.key_ids);
    *b = (struct trust_base){0};
}

static bool same_key(const struct tuf_key *a, const struct tuf_key *b) {
    return a != NULL && b != NULL && strcmp(a->keytype, b->keytype) == 0 &&
           strcmp(a->scheme, b->scheme) == 0 && tuf_key_same(a, b);
}

/* Keys of the role that are, or are not, its keys in the other root, too. An id alone is no key:
 * another one may hide behind it. */
static void add_names(const char *mark, const struct tuf_root *of, const struct tuf_root *other,
                      size_t role, bool in_both, struct text *out) {
    const struct tuf_signers *s = &of->roles[role];
    char name[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < s->key_count; i++) {
        const char *id = s->key_ids[i];
        const struct tuf_key *key = tuf_keys_find(&of->keys, id);
        bool both = tuf_signers_have(&other->roles[role], id) &&
                    same_key(key, tuf_keys_find(&other->keys, id));
        if (key == NULL || both != in_both) continue;
        text_add_format(out, "%s%s%s", out->length > 0 ? " " : "", mark, trust_key_name(key, name));
    }
}

/* "A +B -C": stays, comes, goes. */
static void add_keys(const struct tuf_root *before, const struct tuf_root *after, size_t role,
                     struct text *out) {
    if (before == NULL) {
        trust_key_names(&after->keys, &after->roles[role], out);
        return;
    }
    add_names("", after, before, role, true, out);
    add_names("+", after, before, role, false, out);
    add_names("-", before, after, role, false, out);
}

static void say_root(const struct tuf_root *root, const struct tuf_root *before,
                     const struct output_style *style, struct text *out) {
    static const struct output_column columns[] = {
        {"ROLE",  0},
        {"NEEDS", 0},
        {"KEYS",  0},
    };
    static const enum tuf_role_kind order[] = {TUF_ROOT, TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP};
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
        const struct tuf_signers *s = &root->roles[order[i]];
        OWN_TEXT struct text keys = TEXT_EMPTY;
        add_keys(before, root, order[i], &keys);
        output_cell(&t, tuf_role_name(order[i]));
        output_cell_format(&t, "%lld of %zu", (long long)s->threshold, s->key_count);
        output_cell(&t, text_value(&keys));
    }
    output_table(&t, false, style, out);
}

static void say_targets(const struct tuf_targets *targets, const struct trust_file *before,
                        struct text *out) {
    size_t begin = out->length;
    if (trust_file_present(before))
        trust_targets_difference(&before->targets, targets, out);
    else
        trust_targets_say(targets, out);
    if (out->length == begin) text_add(out, "changes no build, only how long it is good\n");
}

void trust_words_say(const struct trust_file *f, const struct trust_base *base,
                     const struct output_style *style, struct text *out) {
    char until[CLOCK_RFC3339_SIZE], words[FORMAT_SIZE];
    const struct tuf_heading *heading = trust_file_heading(f);
    clock_rfc3339(heading->expires_ms, until);
    text_add_format(out, "%s version %lld, good until %s\n", tuf_role_name(f->role),
                    (long long)heading->version, format_time(until, words));
    if (f->role == TUF_ROOT)
        say_root(&f->root, trust_file_present(&base->root) ? &base->root.root : NULL, style, out);
    else
        say_targets(&f->targets, &base->targets, out);
}

struct need {
    const char *who;
    const struct tuf_keys *keys;
    const struct tuf_signers *signers;
};

static bool met(const struct trust_file *f, const struct need *n, const struct tuf_signers *here,
                struct text *lacking) {
    OWN_TEXT struct text missing = TEXT_EMPTY;
    char name[SIGN_KEY_ID_HEX_SIZE];
    int64_t count = 0;
    for (size_t i = 0; i < n->signers->key_count; i++) {
        const char *id = n->signers->key_ids[i];
        const struct tuf_key *key = tuf_keys_find(n->keys, id);
        bool by_master = f->role == TUF_ROOT && tuf_signers_have(here, id);
        if (by_master || trust_file_signed_by(f, n->keys, id))
            count++;
        else if (key != NULL)
            text_add_format(&missing, " %s", trust_key_name(key, name));
    }
    if (count >= n->signers->threshold) return true;
    text_add_format(lacking, "%s: %lld of %lld signatures; missing:%s\n", n->who, (long long)count,
                    (long long)n->signers->threshold, text_value(&missing));
    return false;
}

bool trust_words_complete(const struct trust_file *f, const struct trust_base *base,
                          const struct tuf_root *judge, struct text *lacking) {
    bool complete = true;
    if (f->role == TUF_TARGETS) {
        struct need need = {"targets", NULL, NULL};
        if (judge == NULL) return true;
        need.keys = &judge->keys;
        need.signers = &judge->roles[TUF_TARGETS];
        return met(f, &need, &base->here, lacking);
    }
    const struct need own = {"root", &f->root.keys, &f->root.roles[TUF_ROOT]};
    complete = met(f, &own, &base->here, lacking);
    if (!trust_file_present(&base->root)) return complete;
    const struct need before = {"the root before", &base->root.root.keys,
                                &base->root.root.roles[TUF_ROOT]};
    return met(f, &before, &base->here, lacking) && complete;
}

/* Whether a key at hand has signed it. */
static bool signed_by_any(const struct trust_file *f, const struct key_ring *ring) {
    bool found = false;
    for (size_t i = 0; i < ring->count && !found; i++) {
        struct tuf_key key;
        const struct tuf_keys keys = {.list = &key, .count = 1};
        tuf_key_of(sign_secret_public(ring->list[i]), &key);
        found = trust_file_signed_by(f, &keys, key.id);
        tuf_key_clear(&key);
    }
    return found;
}

static bool signed_by_root(const struct trust_file *f, const struct tuf_root *root, struct err *e) {
    return tuf_verify(text_value(&f->bytes), f->bytes.length, tuf_role_name(f->role), &root->keys,
                      &root->roles[f->role], NULL, e);
}

bool trust_base_proven(const struct trust_base *b, const struct key_ring *ring, struct err *e) {
    char name[TRUST_FILE_NAME_SIZE];
    bool rooted = trust_file_present(&b->root);
    if (rooted && !signed_by_root(&b->root, &b->root.root, e))
        return err_wrap(e, "%s, said to be in force", trust_file_name(&b->root, name));
    if (!trust_file_present(&b->targets)) return true;
    trust_file_name(&b->targets, name);
    if (rooted)
        return signed_by_root(&b->targets, &b->root.root, e) ||
               err_wrap(e, "%s, said to be in force", name);
    if (ring->count == 0 || signed_by_any(&b->targets, ring)) return true;
    err_set(e, ERR_UNTRUSTED,
            "%s, said to be in force, is signed by none of the keys at hand: anybody may have "
            "written it",
            name);
    return err_hint(e, "with the root that says whose signatures count: --metadata ROOT.json "
                       "--metadata TARGETS.json");
}
