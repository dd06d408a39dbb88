#include "cli/binary_targets.h"

#include "cli/trust_next.h"
#include "cli/trust_targets.h"
#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

void binary_targets_path(const struct binary_file *f, char out[PATH_MAX + 16]) {
    snprintf(out, PATH_MAX + 16, "%s.targets.json", f->path);
}

static bool names(const struct trust_file *targets, const struct binary_file *f) {
    const struct tuf_target *target = tuf_targets_find(&targets->targets, f->name);
    return target != NULL && strcmp(target->promise.sha256, f->sha256) == 0;
}

bool binary_targets_read(const struct binary_file *f, struct trust_file *out, struct err *e) {
    char path[PATH_MAX + 16];
    struct err why = {0};
    binary_targets_path(f, path);
    if (!trust_file_read(path, out, &why)) {
        if (why.code == ERR_NOT_FOUND) return true;
        *e = why;
        return false;
    }
    if (out->role == TUF_TARGETS && names(out, f)) return true;
    trust_file_fini(out);
    err_set(e, ERR_INVALID, "%s does not name %s with these bytes", path, f->name);
    return err_hint(e, "move it away, and sign again: gridctl binary sign");
}

/* The newest targets and the file. */
static bool make_anew(const struct binary_file *f, const struct trust_base *base,
                      struct trust_file *out, struct err *e) {
    OWN_TRUST_FILE struct trust_file copy = {0};
    struct trust_build build = {.id = f->id, .size_bytes = f->size_bytes};
    memcpy(build.sha256, f->sha256, sizeof build.sha256);
    if (!trust_file_copy(&base->targets, &copy, e) || !trust_targets_add(&copy.targets, &build, e))
        return false;
    trust_targets_renew(&copy.targets, clock_wall_ms(), TRUST_TARGETS_LIFE_MS);
    return trust_file_of_targets(&copy.targets, out, e);
}

/* Whether the targets differ from those in force by this file alone. Its bytes are those of the
 * file (names). */
static bool adds_only(const struct trust_base *base, const struct trust_file *targets,
                      const struct binary_file *f, struct err *e) {
    OWN_TEXT struct text changes = TEXT_EMPTY;
    char alone[ARTIFACT_FILE_SIZE + 8];
    snprintf(alone, sizeof alone, "adds %s, ", f->name);
    trust_targets_difference(&base->targets.targets, &targets->targets, &changes);
    const char *line = text_value(&changes);
    if (strncmp(line, alone, strlen(alone)) == 0) line += strcspn(line, "\n") + 1;
    if (*line == '\0') return true;
    return err_set(e, ERR_CONFLICT, "%s.targets.json also %.*s", f->name, (int)strcspn(line, ",\n"),
                   line);
}

bool binary_targets_make(const struct binary_file *f, const struct trust_base *base,
                         struct trust_file *out, bool *added, struct err *e) {
    OWN_TRUST_FILE struct trust_file there = {0};
    struct err stale;
    *added = false;
    if (!trust_file_present(&base->targets)) {
        err_set(e, ERR_USAGE, "the targets in force are not known");
        return err_hint(e, "--metadata TARGETS.json: gridctl key show --role targets prints them");
    }
    if (!binary_targets_read(f, &there, &stale) || !trust_file_present(&there) ||
        there.targets.heading.version <= base->targets.targets.heading.version)
        return make_anew(f, base, out, e);
    if (!adds_only(base, &there, f, e))
        return err_hint(e,
                        "look: gridctl key show %.100s.targets.json; without it the next one "
                        "is made anew",
                        f->path);
    *out = there;
    there = (struct trust_file){0};
    return *added = true;
}

bool binary_targets_send(struct invocation *call, const struct binary_file *f,
                         struct trust_file *targets, struct http_answer *answer, struct err *e) {
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_TRUST_DRAFT struct trust_draft draft = {.targets = *targets};
    *targets = (struct trust_file){0};
    if (!trust_fetch(call, &base, e)) return false;
    if (names(&base.targets, f)) return true;
    if (adds_only(&base, &draft.targets, f, e))
        return trust_draft_send(call, &draft, &base, answer, e);
    err_wrap(e, "other targets came into force meanwhile");
    return err_hint(e, "sign again: gridctl binary sign %.100s --key KEYFILE", f->path);
}
