#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/restore.h"
#include "cli/terminal.h"
#include "lib/clock.h"
#include "lib/db_archive.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAKING_TIMEOUT_MS 900000 /* the master makes the whole file before its first byte */

static void default_name(char out[64]) {
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 64, "grid-backup-%Y%m%dT%H%M%SZ.sqlar", &utc);
}

static bool find_parts(const char *name, mode_t mode, int64_t size_bytes, void *argument,
                       struct err *e) {
    int *parts = argument;
    (void)mode;
    (void)size_bytes;
    (void)e;
    if (strcmp(name, "grid.db") == 0 || strcmp(name, "MANIFEST") == 0) ++*parts;
    return true;
}

/* What came is an archive and holds what a restore needs. */
static bool check(const char *path, struct err *e) {
    OWN(db_archive) struct db_archive *archive = NULL;
    int parts = 0;
    if (!db_archive_open(&archive, path, e) || !db_archive_list(archive, find_parts, &parts, e))
        return err_wrap(e, "what the master sent");
    return parts == 2 || err_set(e, ERR_CORRUPT, "what the master sent is no complete backup");
}

static bool receive(struct invocation *call, int fd, int64_t *bytes, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct progress progress;
    struct http_call post = {.method = "POST",
                             .stall_timeout_ms = MAKING_TIMEOUT_MS,
                             .answer_fd = fd,
                             .progress = progress_step,
                             .progress_argument = &progress};
    progress_begin(&progress, "backup", &call->stderr_style);
    bool received = api_call(call->api, &post, "/api/backup", &answer, e);
    progress_end(&progress);
    *bytes = answer.file_bytes;
    return received;
}

static bool create(struct invocation *call, const char *path, const char *temporary, int fd,
                   struct err *e) {
    int64_t bytes;
    char size[FORMAT_SIZE];
    if (!receive(call, fd, &bytes, e) || !check(temporary, e) ||
        !file_publish(fd, temporary, path, e))
        return false;
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", path);
    if (!listing_line(e, "%s  %s", path, format_bytes(bytes, size))) return false;
    invocation_note(call,
                    "It holds the grid's secret keys: keep it safe.\n"
                    "To bring it back: gridctl backup restore %s --state DIR",
                    path);
    return true;
}

bool backup_create(struct invocation *call, struct err *e) {
    char name[64], temporary[PATH_MAX];
    default_name(name);
    const char *path = call->argument_count > 0 ? call->arguments[0] : name;
    if (access(path, F_OK) == 0) {
        err_set(e, ERR_CONFLICT, "%s exists already", path);
        return err_hint(e, "another name: gridctl backup create FILE");
    }
    if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
        return err_set(e, ERR_USAGE, "the path is too long");
    OWN_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "cannot write %s", path);
    terminal_on_interrupt("\ninterrupted; no backup was made\n", temporary);
    bool made = create(call, path, temporary, fd, e);
    terminal_on_interrupt(NULL, NULL);
    if (!made) unlink(temporary);
    return made;
}

bool backup_restore(struct invocation *call, struct err *e) {
    const struct settings *s = call->settings;
    struct restore_result result;
    char size[FORMAT_SIZE], files[FORMAT_SIZE];
    if (s->state[0] == '\0') {
        err_set(e, ERR_USAGE, "backup restore needs --state DIR, the state directory to make");
        return err_hint(e, "gridctl backup restore %s --state ./grid-state", call->arguments[0]);
    }
    if (!restore(call->arguments[0], s->state, s->dry_run, &result, e)) return false;
    format_count(result.files, "file", files);
    format_bytes(result.bytes, size);
    if (s->dry_run)
        return invocation_would(call, e, "restore %s, %s, all intact, into %s", files, size,
                                s->state);
    if (!listing_line(e, "%s, %s, restored into %s", files, size, s->state)) return false;
    invocation_note(
        call,
        "The tokens of the backup are good again; the first start makes a new %s/admin.token\n"
        "Next: grid-master --state %s",
        s->state, s->state);
    return true;
}
