#include "agent/launcher/starts.h"

#include "lib/file.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1024 };

void starts_of(struct starts *s, const char *build) {
    if (strcmp(s->build, build) == 0) return;
    *s = (struct starts){0};
    snprintf(s->build, sizeof s->build, "%s", build);
}

static bool set_tries(struct starts *s, int tries) {
    if (tries < 0 || tries > STARTS_MOST) return false;
    s->tries = tries;
    return true;
}

bool starts_begin(struct starts *s) {
    return !s->proven && set_tries(s, s->tries + 1);
}

bool starts_ended(struct starts *s, enum starts_end how) {
    if (how == STARTS_TOLD) return !s->proven && set_tries(s, s->tries - 1);
    return how == STARTS_CRASHED && s->proven && set_tries(s, s->tries + 1);
}

bool starts_proved(struct starts *s) {
    bool changed = !s->proven || s->tries > 0;
    s->proven = true;
    s->tries = 0;
    return changed;
}

bool starts_exhausted(const struct starts *s) {
    return s->tries >= STARTS_MOST;
}

static bool parse(const char *words, struct starts *out) {
    char build[BUILDS_NAME_SIZE + 1] = "";
    char proven[4] = "", tries[2] = "";
    int end = 0;
    int count = sscanf(words, "build %129s tries %1[0-9] proven %3s%n", build, tries, proven, &end);
    bool known = strcmp(proven, "yes") == 0 || strcmp(proven, "no") == 0;
    if (count != 3 || strcmp(words + end, "\n") != 0 || !known || !builds_name_valid(build) ||
        tries[0] - '0' > STARTS_MOST)
        return false;
    *out = (struct starts){.tries = tries[0] - '0', .proven = strcmp(proven, "yes") == 0};
    return text_copy(out->build, sizeof out->build, build);
}

bool starts_read(const char *directory, struct starts *out, struct err *e) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX];
    struct err why;
    *out = (struct starts){0};
    if (!file_join(path, sizeof path, directory, "starts", e)) return false;
    if (!file_read(path, FILE_MAX_BYTES, &words, &why)) {
        if (why.code == ERR_NOT_FOUND) return true;
        *e = why;
        return false;
    }
    if (parse(text_value(&words), out)) return true;
    *out = (struct starts){0};
    return err_set(e, ERR_CORRUPT, "%s is damaged, so counting begins anew", path);
}

bool starts_save(const char *directory, const struct starts *s, struct err *e) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX];
    text_add_format(&words, "build %s\ntries %d\nproven %s\n", s->build, s->tries,
                    s->proven ? "yes" : "no");
    return file_join(path, sizeof path, directory, "starts", e) &&
           file_write_durable(path, words.data, words.length, 0600, e);
}
