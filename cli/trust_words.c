#include "cli/trust_words.h"

#include "cli/format.h"
#include "cli/trust_root.h"
#include "cli/trust_targets.h"
#include "lib/clock.h"

#include <string.h>

void trust_base_fini(struct trust_base *b) {
    trust_file_fini(&b->root);
    trust_file_fini(&b->targets);
    free(b->here.key_ids);
    *b = (struct trust_base){0};
}

static bool holds(const struct tuf_signers *s, const char *id) {
    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->key_ids[i], id) == 0) return true;
    return false;
}

static void add_names(const char *mark, const struct tuf_root *of, const struct tuf_signers *s,
                      const struct tuf_signers *except, bool in_both, struct text *out) {
    char name[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < s->key_count; i++) {
        const struct tuf_key *key = tuf_keys_find(&of->keys, s->key_ids[i]);
        if (key == NULL || holds(except, s->key_ids[i]) != in_both) continue;
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
    add_names("", after, &after->roles[role], &before->roles[role], true, out);
    add_names("+", after, &after->roles[role], &before->roles[role], false, out);
    add_names("-", before, &before->roles[role], &after->roles[role], false, out);
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
        for (size_t i = 0; i < targets->count; i++)
            text_add_format(out, "names %s\n", targets->list[i].path);
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
        bool by_master = f->role == TUF_ROOT && holds(here, id);
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
