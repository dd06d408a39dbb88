#include "cli/trust_next.h"

#include "cli/trust_targets.h"
#include "lib/clock.h"

static bool still_hold(const struct trust_file *targets, const struct tuf_root *root) {
    struct err ignored;
    return tuf_verify(text_value(&targets->bytes), targets->bytes.length, "targets", &root->keys,
                      &root->roles[TUF_TARGETS], NULL, &ignored);
}

/* The same targets once more. */
static bool say_again(const struct trust_file *targets, struct trust_file *out, struct err *e) {
    OWN_TRUST_FILE struct trust_file copy = {0};
    if (!trust_file_copy(targets, &copy, e)) return false;
    trust_targets_renew(&copy.targets, clock_wall_ms(), TRUST_TARGETS_LIFE_MS);
    return trust_file_of_targets(&copy.targets, out, e);
}

bool trust_next_root(const struct trust_base *base, const struct trust_changes *changes,
                     int64_t life_ms, struct trust_draft *out, struct err *e) {
    const struct tuf_root *current = &base->root.root;
    struct tuf_root next;
    int64_t expires_ms = clock_wall_ms() + (life_ms > 0 ? life_ms : TRUST_ROOT_LIFE_MS);
    if (!trust_file_present(&base->root)) {
        err_set(e, ERR_USAGE, "the root in force is not known");
        return err_hint(e, "--metadata ROOT.json, or ask the master by --url");
    }
    if (!trust_root_next(current, changes, expires_ms, &next, e)) return false;
    bool written = trust_file_of_root(&next, &out->root, e);
    tuf_root_clear(&next);
    if (!written) return false;
    const struct tuf_signers *signers = &out->root.root.roles[TUF_TARGETS];
    bool same = !trust_signers_differ(&current->roles[TUF_TARGETS], signers);
    if (same || (int64_t)trust_signers_among(signers, &base->here) >= signers->threshold)
        return true;
    if (!trust_file_present(&base->targets)) {
        err_set(e, ERR_USAGE, "other keys of targets must sign the targets, which are not known");
        return err_hint(e, "--metadata TARGETS.json besides --metadata ROOT.json");
    }
    return still_hold(&base->targets, &out->root.root) ||
           say_again(&base->targets, &out->targets, e);
}
