#include "agent/trial.h"

#include "agent/node_log.h"
#include "lib/clock.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { NOTE_MAX = 1024, RELAY_MAX = 64 * 1024, LOG_MAX = 1024 * 1024 };

static bool trial_path(char out[PATH_MAX], const char *directory, struct err *e) {
    return file_join(out, PATH_MAX, directory, "trial", e);
}

static bool note_path(char out[PATH_MAX], const char *directory, struct err *e) {
    return file_join(out, PATH_MAX, directory, "trial/build", e);
}

bool trial_end(const char *directory, struct err *e) {
    char path[PATH_MAX], note[PATH_MAX];
    if (!trial_path(path, directory, e) || !note_path(note, directory, e)) return false;
    if (access(path, F_OK) != 0 && errno == ENOENT) return true;
    /* The note first: whatever a crash leaves of the rest says nothing. */
    if (!file_remove_durable(note, e) || !file_clear_directory(path, e)) return false;
    return rmdir(path) == 0 || err_errno(e, errno, "remove %s", path);
}

bool trial_begin(const char *directory, const char *build, struct err *e) {
    char path[PATH_MAX], note[PATH_MAX], failed[PATH_MAX];
    return trial_path(path, directory, e) && note_path(note, directory, e) &&
           file_join(failed, sizeof failed, directory, "failed", e) &&
           file_remove_durable(failed, e) && trial_end(directory, e) &&
           file_make_directory(path, 0700, e) &&
           file_write_durable(note, build, strlen(build), 0600, e);
}

bool trial_of(const char *directory, const char *build) {
    OWN_TEXT struct text found = TEXT_EMPTY;
    char note[PATH_MAX];
    return note_path(note, directory, NULL) && file_read(note, NOTE_MAX, &found, NULL) &&
           strcmp(text_value(&found), build) == 0;
}

int trial_log(const char *directory, struct err *e) {
    char path[PATH_MAX];
    return trial_path(path, directory, e) ? node_log_open(path, e) : -1;
}

void trial_words(const char *directory, size_t max_bytes, struct text *out) {
    char path[PATH_MAX];
    if (trial_path(path, directory, NULL)) node_log_tail(path, NODE_LOG_ALL, max_bytes, out);
}

static int open_log_to_read(const char *directory) {
    char path[PATH_MAX];
    return file_join(path, sizeof path, directory, "trial/log", NULL)
               ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
               : -1;
}

void trial_relay(const char *directory, int64_t *place, int fd) {
    char path[PATH_MAX], words[4096];
    int64_t cut_bytes = 0;
    ssize_t length = 0;
    OWN_FD int log = open_log_to_read(directory);
    if (!trial_path(path, directory, NULL)) return;
    if (node_log_end(path) < *place) *place = 0;
    for (int64_t most = *place + RELAY_MAX; log >= 0 && *place < most; *place += length) {
        length = file_read_at(log, words, sizeof words, *place);
        if (length <= 0 || !file_write_all(fd, words, (size_t)length)) break;
    }
    if (node_log_rotate(path, LOG_MAX, &cut_bytes, NULL))
        *place = *place > cut_bytes ? *place - cut_bytes : 0;
}

bool trial_give_up(const char *directory, const char *build, const char *reason, struct err *e) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX], at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall_ms(), at);
    text_add_format(&words, "build %s\nat %s\nreason %s\n", build, at, reason);
    return file_join(path, sizeof path, directory, "failed", e) &&
           file_write_durable(path, words.data, words.length, 0600, e);
}

bool trial_given_up(const char *directory, const char *build, char reason[TRIAL_REASON_SIZE]) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX], named[BUILDS_NAME_SIZE + 1] = "";
    reason[0] = '\0';
    if (!file_join(path, sizeof path, directory, "failed", NULL) ||
        !file_read(path, NOTE_MAX, &words, NULL))
        return false;
    (void)sscanf(text_value(&words), "build %129s at %*s reason %159[^\n]", named, reason);
    return strcmp(named, build) == 0;
}
