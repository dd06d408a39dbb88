/* key sign, key publish: metadata that were made elsewhere get signatures, and get to the master.
 */
#include "cli/handlers.h"
#include "cli/key_file.h"
#include "cli/listing.h"
#include "cli/trust_draft.h"
#include "cli/trust_fetch.h"
#include "lib/json.h"

#include <string.h>

/* At most one root and one targets file. */
static bool read_draft(struct invocation *call, struct trust_draft *out, struct err *e) {
    for (int i = 0; i < call->argument_count; i++) {
        OWN_TRUST_FILE struct trust_file file = {0};
        if (!trust_file_read(call->arguments[i], &file, e)) return false;
        struct trust_file *place = file.role == TUF_ROOT ? &out->root : &out->targets;
        if (trust_file_present(place)) {
            err_set(e, ERR_USAGE, "%s is a second file of %s", call->arguments[i],
                    tuf_role_name(file.role));
            return err_hint(e, "one root, one targets file, or one of each that belong together");
        }
        *place = file;
        file = (struct trust_file){0};
    }
    return true;
}

static bool write_back(struct invocation *call, const struct trust_draft *d, struct err *e) {
    for (int i = 0; i < call->argument_count; i++) {
        OWN_TRUST_FILE struct trust_file was = {0};
        const char *path = call->arguments[i];
        if (!trust_file_read(path, &was, e)) return false;
        const struct trust_file *now = was.role == TUF_ROOT ? &d->root : &d->targets;
        if (!trust_file_write(now, path, true, e) || !listing_line(e, "%s", path)) return false;
    }
    return true;
}

static void note_signed(struct invocation *call, const struct trust_draft *d,
                        const struct trust_base *base) {
    OWN_TEXT struct text lacking = TEXT_EMPTY;
    if (!trust_draft_complete(d, base, &lacking))
        invocation_note(call,
                        "%skeys that the master has sign when it gets the file\n"
                        "Next: carry it to who holds a missing key",
                        text_value(&lacking));
    invocation_note(call, "Then, where the master can be reached: gridctl key publish %s%s",
                    call->arguments[0], call->argument_count > 1 ? " ..." : "");
}

/* Without network: what is in force is known from --metadata alone. */
static bool known_base(struct invocation *call, struct trust_base *base, struct err *e) {
    const char *given = call->settings->trust.metadata;
    return given == NULL || *given == '\0' || trust_fetch(call, base, e);
}

bool key_sign(struct invocation *call, struct err *e) {
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_KEY_RING struct key_ring ring = {0};
    if (call->settings->keys == NULL) {
        err_set(e, ERR_USAGE, "key sign needs --key FILE");
        return err_hint(e, "gridctl key sign %.60s --key anna.key", call->arguments[0]);
    }
    if (!read_draft(call, &draft, e) || !known_base(call, &base, e) ||
        !key_ring_read(&ring, call->settings->keys, e) || !trust_base_proven(&base, &ring, e))
        return false;
    trust_draft_show(call, &draft, &base);
    if (!invocation_confirm(call, e, "Sign that?") ||
        !trust_draft_sign_all(&draft, &base, &ring, e) || !write_back(call, &draft, e))
        return false;
    note_signed(call, &draft, &base);
    return true;
}

static bool publish(struct invocation *call, const struct trust_draft *draft,
                    const struct trust_base *base, struct err *e) {
    trust_draft_show(call, draft, base);
    if (call->settings->dry_run) return invocation_would(call, e, "publish this");
    return invocation_confirm(call, e, "Publish that?") &&
           trust_draft_publish(call, draft, base, e);
}

bool key_publish(struct invocation *call, struct err *e) {
    OWN_TRUST_DRAFT struct trust_draft draft = {0};
    OWN_TRUST_BASE struct trust_base base = {0};
    return read_draft(call, &draft, e) && trust_fetch_all(call, &base, e) &&
           publish(call, &draft, &base, e);
}
