#include "cli/trust_draft.h"

#include "cli/api.h"
#include "cli/format.h"
#include "cli/listing.h"
#include "cli/trust_root.h"

#include <stdio.h>
#include <string.h>

void trust_draft_fini(struct trust_draft *d) {
    trust_file_fini(&d->root);
    trust_file_fini(&d->targets);
}

const struct tuf_root *trust_draft_judge(const struct trust_draft *d,
                                         const struct trust_base *base) {
    if (trust_file_present(&d->root)) return &d->root.root;
    return trust_file_present(&base->root) ? &base->root.root : NULL;
}

static bool may_sign_root(const struct trust_draft *d, const struct trust_base *base,
                          const struct sign_public *key) {
    return !trust_file_present(&base->root) ||
           trust_signer_is(&d->root.root.roles[TUF_ROOT], key) ||
           trust_signer_is(&base->root.root.roles[TUF_ROOT], key);
}

static bool may_sign_targets(const struct trust_draft *d, const struct trust_base *base,
                             const struct sign_public *key) {
    const struct tuf_root *judge = trust_draft_judge(d, base);
    return judge == NULL || trust_signer_is(&judge->roles[TUF_TARGETS], key);
}

bool trust_draft_sign(struct trust_draft *d, const struct trust_base *base,
                      const struct sign_secret *key, struct err *e) {
    const struct sign_public *public = sign_secret_public(key);
    bool root = trust_file_present(&d->root) && may_sign_root(d, base, public);
    bool targets = trust_file_present(&d->targets) && may_sign_targets(d, base, public);
    char id[SIGN_KEY_ID_HEX_SIZE];
    if (!root && !targets) {
        struct tuf_key named;
        tuf_key_of(public, &named);
        trust_key_name(&named, id);
        tuf_key_clear(&named);
        err_set(e, ERR_CONFLICT, "key %s is none of those that may sign this", id);
        return err_hint(e, "gridctl key show lists who may");
    }
    if (root && !trust_file_sign(&d->root, key, e)) return false;
    return !targets || trust_file_sign(&d->targets, key, e);
}

bool trust_draft_sign_all(struct trust_draft *d, const struct trust_base *base,
                          const struct key_ring *keys, struct err *e) {
    for (size_t i = 0; i < keys->count; i++)
        if (!trust_draft_sign(d, base, keys->list[i], e)) return false;
    return true;
}

void trust_draft_show(const struct invocation *call, const struct trust_draft *d,
                      const struct trust_base *base) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    if (trust_file_present(&d->root)) trust_words_say(&d->root, base, &call->stderr_style, &words);
    if (trust_file_present(&d->targets))
        trust_words_say(&d->targets, base, &call->stderr_style, &words);
    if (words.length > 0) words.data[words.length - 1] = '\0'; /* the note ends the line */
    invocation_note(call, "%s", text_value(&words));
}

bool trust_draft_complete(const struct trust_draft *d, const struct trust_base *base,
                          struct text *lacking) {
    bool root =
        !trust_file_present(&d->root) || trust_words_complete(&d->root, base, NULL, lacking);
    bool targets = !trust_file_present(&d->targets) ||
                   trust_words_complete(&d->targets, base, trust_draft_judge(d, base), lacking);
    return root && targets;
}

static bool write_one(const struct trust_file *f, struct text *names, struct err *e) {
    char name[TRUST_FILE_NAME_SIZE];
    if (!trust_file_present(f)) return true;
    trust_file_name(f, name);
    text_add_format(names, "%s%s", names->length > 0 ? " " : "", name);
    return trust_file_write(f, name, false, e) && listing_line(e, "%s", name);
}

bool trust_draft_write(struct invocation *call, const struct trust_draft *d, const char *lacking,
                       struct err *e) {
    OWN_TEXT struct text names = TEXT_EMPTY;
    if (!write_one(&d->root, &names, e) || !write_one(&d->targets, &names, e)) return false;
    if (*lacking == '\0')
        invocation_note(call, "Next: gridctl key publish %s", text_value(&names));
    else
        invocation_note(call,
                        "%sNext: carry %s to who holds a missing key; there: gridctl key sign %s "
                        "--key KEYFILE\nThen: gridctl key publish %s",
                        lacking, strchr(text_value(&names), ' ') != NULL ? "them" : "it",
                        text_value(&names), text_value(&names));
    return true;
}

static bool follows(const struct trust_file *f, const struct trust_file *current, struct err *e) {
    int64_t version = trust_file_heading(f)->version, last = trust_file_heading(current)->version;
    const char *role = tuf_role_name(f->role);
    if (!trust_file_present(f)) return true;
    if (f->role == TUF_ROOT ? version == last + 1 : version > last) return true;
    err_set(e, ERR_CONFLICT, "this is %s version %lld, and the master has version %lld already",
            role, (long long)version, (long long)last);
    return err_hint(e, "make it anew from what is in force: gridctl key %s", role);
}

static size_t count_lines(const char *lines) {
    size_t count = 0;
    char line[PATH_MAX];
    while (settings_next(&lines, line)) count++;
    return count;
}

/* Whether the master can sign a root by itself. */
static bool signs_root(const struct trust_base *base, const struct tuf_root *root) {
    const struct tuf_signers *s = &root->roles[TUF_ROOT];
    return (int64_t)trust_signers_among(s, &base->here) >= s->threshold;
}

/* Agents that have no trusted root believe the release key alone, which goes when root goes. */
static bool abandons(const struct invocation *call, const struct trust_draft *d,
                     const struct trust_base *base, struct err *e) {
    char first[PATH_MAX], words[FORMAT_SIZE];
    bool leaves = trust_file_present(&d->root) && signs_root(base, &base->root.root) &&
                  !signs_root(base, &d->root.root);
    const char *names = leaves ? base->master->agents_without_root : NULL;
    size_t count = count_lines(names);
    if (!leaves || call->settings->trust.abandon || !settings_next(&names, first)) return false;
    err_set(
        e, ERR_CONFLICT,
        "%s would be left behind (%.60s%s), having no trusted root yet: all they believe is the "
        "release key, which goes with the root key",
        format_count((int64_t)count, "agent", words), first, count > 1 ? ", ..." : "");
    err_hint(e, "wait until gridctl key show lists none, or give them up with --abandon");
    return true;
}

static void body_of(const struct trust_draft *d, struct text *out) {
    const struct text *root = &d->root.bytes, *targets = &d->targets.bytes;
    bool both = root->length > 0 && targets->length > 0;
    if (both) text_add(out, "{\"root\":");
    text_add_bytes(out, text_value(root), root->length);
    if (both) text_add(out, ",\"targets\":");
    text_add_bytes(out, text_value(targets), targets->length);
    if (both) text_add(out, "}");
}

bool trust_draft_send(struct invocation *call, const struct trust_draft *d,
                      const struct trust_base *base, struct http_answer *answer, struct err *e) {
    OWN_TEXT struct text lacking = TEXT_EMPTY, body = TEXT_EMPTY, path = TEXT_EMPTY;
    bool root = trust_file_present(&d->root);
    text_add(&path, root ? "/api/trust/root" : "/api/trust/targets");
    if (root && call->settings->trust.abandon) api_query_add_int(&path, "abandon", 1);
    if (!follows(&d->root, &base->root, e) || !follows(&d->targets, &base->targets, e))
        return false;
    if (!trust_draft_complete(d, base, &lacking)) {
        err_set(e, ERR_UNTRUSTED, "%.*s", (int)strcspn(text_value(&lacking), "\n"),
                text_value(&lacking));
        return err_hint(e, "gridctl key sign FILE --key KEYFILE where a missing key is");
    }
    if (abandons(call, d, base, e)) return false;
    body_of(d, &body);
    return api_send(call->api, "POST", text_value(&path), text_value(&body), answer, e);
}

bool trust_draft_publish(struct invocation *call, const struct trust_draft *d,
                         const struct trust_base *base, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    char root[TRUST_FILE_NAME_SIZE] = "", targets[TRUST_FILE_NAME_SIZE] = "";
    bool both = trust_file_present(&d->root) && trust_file_present(&d->targets);
    if (trust_file_present(&d->root)) trust_file_name(&d->root, root);
    if (trust_file_present(&d->targets)) trust_file_name(&d->targets, targets);
    return trust_draft_send(call, d, base, &answer, e) &&
           listing_changed(call, &answer, root[0] != '\0' ? root : targets, e, "published %s%s%s",
                           root, both ? " " : "", targets);
}

bool trust_draft_deliver(struct invocation *call, struct trust_draft *d,
                         const struct trust_base *base, const struct key_ring *keys,
                         struct err *e) {
    OWN_TEXT struct text before = TEXT_EMPTY, lacking = TEXT_EMPTY;
    if (!trust_base_proven(base, keys, e)) return false;
    trust_draft_show(call, d, base);
    if (call->settings->dry_run)
        return invocation_would(call, e, "sign this, and publish it if no signature is missing");
    bool at_once = base->master != NULL && trust_draft_complete(d, base, &before);
    if ((at_once || keys->count > 0) &&
        !invocation_confirm(call, e, at_once ? "Publish that?" : "Sign that?"))
        return false;
    if (!trust_draft_sign_all(d, base, keys, e)) return false;
    if (trust_draft_complete(d, base, &lacking) && base->master != NULL)
        return trust_draft_publish(call, d, base, e);
    return trust_draft_write(call, d, text_value(&lacking), e);
}
