/* binary sign: FILE.minisig for people and intake, and FILE.targets.json for agents where this key
 * signs targets. */
#include "cli/binary_targets.h"
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/listing.h"
#include "lib/file.h"

#include <stdio.h>
#include <string.h>

static bool write_signature(const struct binary_file *file, const struct sign_secret *key,
                            struct err *e) {
    OWN_TEXT struct text signature = TEXT_EMPTY;
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s.minisig", file->path);
    if (!sign_file(key, file->fd, file->name, &signature, e)) return false;
    if (!file_write_durable(path, text_value(&signature), signature.length, 0644, e))
        return err_wrap(e, "write %s", path);
    return listing_line(e, "%s", path);
}

static bool signs_targets(const struct trust_base *base, const struct key_ring *ring) {
    if (!trust_file_present(&base->root)) return true;
    for (size_t i = 0; i < ring->count; i++)
        if (trust_signer_is(&base->root.root.roles[TUF_TARGETS], sign_secret_public(ring->list[i])))
            return true;
    return false;
}

/* Whether targets are to be signed, too: not where the master does that, nor where nobody can say
 * what is in force. */
static bool targets_wanted(struct invocation *call, const struct key_ring *ring,
                           struct trust_base *base, bool *wanted, struct err *e) {
    struct err why = {0};
    bool known = trust_fetch(call, base, &why);
    bool silent = why.code == ERR_UNREACHABLE || why.code == ERR_NOT_FOUND;
    *wanted = known && signs_targets(base, ring);
    if (known) return true;
    if (silent && call->settings->trust.metadata == NULL) {
        invocation_note(call, "without a master to ask, targets are not signed; --metadata FILE "
                              "says what is in force");
        return true;
    }
    *e = why;
    return false;
}

static bool write_targets(struct invocation *call, const struct binary_file *file,
                          const struct trust_base *base, const struct key_ring *ring,
                          struct trust_draft *draft, struct err *e) {
    OWN_TEXT struct text lacking = TEXT_EMPTY;
    char path[PATH_MAX + 16];
    binary_targets_path(file, path);
    for (size_t i = 0; i < ring->count; i++) {
        bool may =
            !trust_file_present(&base->root) ||
            trust_signer_is(&base->root.root.roles[TUF_TARGETS], sign_secret_public(ring->list[i]));
        if (may && !trust_file_sign(&draft->targets, ring->list[i], e)) return false;
    }
    if (!trust_file_write(&draft->targets, path, true, e) || !listing_line(e, "%s", path))
        return false;
    if (!trust_draft_complete(draft, base, &lacking))
        invocation_note(call, "%sthe same command adds a signature where a missing key is",
                        text_value(&lacking));
    return true;
}

static bool sign(struct invocation *call, const struct binary_file *file,
                 const struct key_ring *ring, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    bool wanted, added = false;
    if (!targets_wanted(call, ring, &base, &wanted, e)) return false;
    if (wanted && (!trust_base_proven(&base, ring, e) ||
                   !binary_targets_make(file, &base, &draft.targets, &added, e)))
        return false;
    if (wanted) trust_draft_show(call, &draft, &base);
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s.minisig", file->path);
    bool keep = added && access(path, F_OK) == 0; /* that of who signed first */
    if (!keep && !write_signature(file, ring->list[0], e)) return false;
    if (wanted && !write_targets(call, file, &base, ring, &draft, e)) return false;
    invocation_note(call, "signed as %s\nNext: gridctl binary push %s", file->name, file->path);
    return true;
}

bool binary_sign(struct invocation *call, struct err *e) {
    OWN_BINARY_FILE struct binary_file file = {.fd = -1};
    OWN_KEY_RING struct key_ring ring = {0};
    if (call->settings->keys == NULL) {
        err_set(e, ERR_USAGE, "binary sign needs --key FILE");
        return err_hint(e, "gridctl key generate makes one");
    }
    return binary_file_open(call->arguments[0], call->settings, &file, e) &&
           key_ring_read(&ring, call->settings->keys, e) && sign(call, &file, &ring, e);
}
