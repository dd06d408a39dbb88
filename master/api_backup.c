#include "master/api_backup.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "master/backup.h"
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES (256 * 1024)

/* The archive behind a descriptor that alone keeps it: nothing is left whatever happens next. */
static int make_archive(struct master *m, struct err *e) {
    char staging[PATH_MAX], scratch[PATH_MAX], path[PATH_MAX];
    struct err ignored;
    int fd = -1;
    if (!file_join(staging, sizeof staging, m->settings->state, "staging", e) ||
        !file_join(scratch, sizeof scratch, staging, "backup-XXXXXX", e))
        return -1;
    if (mkdtemp(scratch) == NULL) {
        err_errno(e, errno, "make a directory in %s", staging);
        return -1;
    }
    repo_begin_change(m->repo); /* database and keys are of one moment */
    if (file_join(path, sizeof path, scratch, "archive", e) &&
        backup_create(m->db, m->catalog, m->settings->state, scratch, path, e) &&
        (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        err_errno(e, errno, "open %s", path);
    repo_end_change(m->repo);
    if (!file_clear_directory(scratch, &ignored) || rmdir(scratch) != 0)
        log_warn("backup.left", "directory=%s", scratch);
    return fd;
}

/* False when the client is gone or the disk failed: the answer is cut then, and its length says so.
 */
static bool send_file(struct http_request *r, int fd) {
    OWN_MEMORY char *block = memory_resize(NULL, 1, BLOCK_BYTES);
    for (;;) {
        ssize_t length = read(fd, block, BLOCK_BYTES);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return length == 0;
        if (!http_stream_write(r, block, (size_t)length)) return false;
    }
}

static void name_download(struct http_request *r) {
    char name[80], at[32];
    struct tm parts;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &parts));
    snprintf(name, sizeof name, "attachment; filename=\"grid-%s.sqlar\"", at);
    http_reply_header(r, "Content-Disposition", name);
}

static void tell(struct http_request *r, int64_t size_bytes, bool sent) {
    char words[128];
    if (!sent) {
        log_warn("backup.cut", "principal=%s bytes=%lld", http_principal(r), (long long)size_bytes);
        return;
    }
    snprintf(words, sizeof words, "a backup of %" PRId64 " bytes was taken", size_bytes);
    events_record_change(master_of(r)->events, "backup.created", "master", http_principal(r),
                         words);
}

void api_backup_create(struct http_request *r) {
    static const char *const nothing[] = {NULL};
    struct stat status = {0};
    struct err e;
    if (!http_query_only(r, nothing, &e)) {
        http_reply_err(r, &e);
        return;
    }
    OWN_FD int fd = make_archive(master_of(r), &e);
    if (fd >= 0 && fstat(fd, &status) != 0) err_errno(&e, errno, "backup");
    if (fd < 0 || status.st_size == 0) {
        http_reply_err(r, &e);
        return;
    }
    name_download(r);
    bool sent =
        http_stream_begin(r, 200, "application/vnd.sqlite3", status.st_size) && send_file(r, fd);
    http_stream_end(r);
    tell(r, status.st_size, sent);
}
