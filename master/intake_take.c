#include "lib/file.h"
#include "lib/log.h"
#include "master/catalog.h"
#include "master/intake_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define SIGNATURE_MAX_BYTES (CATALOG_SIGNATURE_SIZE - 1)
#define RESERVE_BYTES (INT64_C(64) << 20) /* left for the database */
#define BUSY_MAX_MS 60000

static bool refuse_kind(const char *name, const char *kind, struct err *e) {
    err_set(e, ERR_INVALID, "%s is %s", name, kind);
    return err_hint(e, "put a regular file here");
}

/* Only a plain file of which this name is the only one can be relied on to stay what it is while it
 * is read. */
static bool check_kind(const char *name, const struct file_look *look, struct err *e) {
    mode_t mode = (mode_t)look->mode;
    if (S_ISLNK(mode)) return refuse_kind(name, "a symbolic link", e);
    if (S_ISDIR(mode)) return refuse_kind(name, "a directory", e);
    if (S_ISFIFO(mode)) return refuse_kind(name, "a pipe (FIFO)", e);
    if (S_ISSOCK(mode)) return refuse_kind(name, "a socket", e);
    if (!S_ISREG(mode)) return refuse_kind(name, "a device", e);
    if (look->links > 1) {
        err_set(e, ERR_INVALID, "%s is a hard link: %" PRId64 " names lead to the same file", name,
                look->links);
        return err_hint(e, "put a copy here (cp without -l)");
    }
    if ((mode & (S_ISUID | S_ISGID)) != 0) {
        err_set(e, ERR_INVALID, "%s is set-user-ID or set-group-ID", name);
        return err_hint(e, "chmod u-s,g-s");
    }
    if (look->size_bytes == 0) return err_set(e, ERR_INVALID, "%s is empty", name);
    if (look->size_bytes > DROP_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE, "%s has %" PRId64 " bytes: at most %" PRId64, name,
                       look->size_bytes, DROP_MAX_BYTES);
    return true;
}

static bool looks_so(int fd, const struct file_look *look) {
    struct stat status;
    struct file_look now;
    if (fstat(fd, &status) != 0) return false;
    intake_look_at(&status, &now);
    return memcmp(&now, look, sizeof now) == 0;
}

/* Whether anybody has the file open for writing, which the kernel tells by refusing a read lease.
 * It answers only the file's owner and root, and not on every file system: false then. The signal
 * of a lease that is broken right now would be SIGIO, which ends a process; SIGURG is ignored. */
static bool open_for_writing(int fd) {
    if (fcntl(fd, F_SETSIG, SIGURG) != 0) return false;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) return errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

static bool check_space(struct intake *i, int64_t size_bytes, struct err *e) {
    int64_t unused = 0;
    if (!file_free_bytes(catalog_objects_directory(i->catalog), &unused, e)) return false;
    if (unused - RESERVE_BYTES >= size_bytes) return true;
    err_set(e, ERR_NO_SPACE, "%" PRId64 " bytes are free on the master, %" PRId64 " are needed",
            unused, size_bytes + RESERVE_BYTES);
    return err_hint(e, "make room; the file is tried again by itself");
}

/* The signature beside the file; *out stays NULL when there is none. The caller frees. */
static bool read_signature(int directory, const struct drop *drop, char **out, struct err *e) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    OWN_MEMORY char *signature = memory_zeroed(SIGNATURE_MAX_BYTES + 1, 1);
    if (drop->look.signature.inode == 0) return true;
    text_add_format(&name, "%s.minisig", drop->name);
    OWN_FD int fd = file_open_beneath(directory, name.data, O_RDONLY, 0, e);
    if (fd < 0) return false;
    ssize_t length = pread(fd, signature, SIGNATURE_MAX_BYTES + 1, 0);
    if (length < 0) return err_errno(e, errno, "read %s", name.data);
    if (length > SIGNATURE_MAX_BYTES)
        return err_set(e, ERR_UNTRUSTED, "%s is longer than %d bytes", name.data,
                       SIGNATURE_MAX_BYTES);
    *out = TAKE(signature);
    return true;
}

static bool object_is_there(struct intake *i, const struct binary *b) {
    char path[PATH_MAX];
    struct stat status;
    catalog_object_path(i->catalog, b->sha256, path);
    return lstat(path, &status) == 0 && status.st_size == b->size_bytes;
}

/* Whether the catalog serves these very bytes under this name already: then nothing is to be
 * copied. Of a file that grows no more is read than it had. */
static bool is_published(struct intake *i, int fd, const struct artifact_name *id,
                         int64_t size_bytes) {
    OWN_MEMORY struct binary *found = memory_zeroed(1, sizeof *found);
    char sha256[SHA256_HEX_SIZE];
    struct err e;
    return catalog_find(i->catalog, id, found, &e) && found->size_bytes == size_bytes &&
           object_is_there(i, found) && sha256_file_up_to(fd, size_bytes, sha256, NULL, &e) &&
           strcmp(sha256, found->sha256) == 0;
}

static bool offer(struct catalog_batch *batch, int directory, struct drop *drop,
                  const struct artifact_name *id, const struct staged *staged, struct err *e) {
    OWN_MEMORY char *signature = NULL;
    if (!read_signature(directory, drop, &signature, e)) return false;
    const struct admission a = {.id = id,
                                .staged = staged,
                                .publisher_signature = signature,
                                .principal = "drop-box",
                                .offered_at_ms = drop->look.file.changed_ns / 1000000};
    catalog_batch_add(batch, &a, drop);
    return true;
}

/* Copies the file to where nobody else writes, and lets the copy be judged. No more than its size
 * is read: what grows meanwhile would fill the disk, and hold up all other files and the stop. */
static enum outcome copy_and_offer(struct intake *i, struct catalog_batch *batch, int directory,
                                   struct drop *drop, const struct artifact_name *id, int fd,
                                   struct err *e) {
    struct staged staged;
    if (!check_space(i, drop->look.file.size_bytes, e) || !catalog_stage(i->catalog, &staged, e))
        return OUTCOME_REFUSED;
    bool copied = file_copy_hashed(fd, staged.fd, drop->look.file.size_bytes, staged.sha256,
                                   &staged.size_bytes, e);
    bool changed = !looks_so(fd, &drop->look.file);
    bool offered = copied && !changed && offer(batch, directory, drop, id, &staged, e);
    catalog_unstage(&staged);
    if (changed) return OUTCOME_LATER;
    return offered ? OUTCOME_OFFERED : OUTCOME_REFUSED;
}

enum outcome intake_take(struct intake *i, struct catalog_batch *batch, int directory,
                         struct drop *drop, int64_t now_ms, struct err *e) {
    struct artifact_name id;
    char shown[256];
    intake_printable(drop->name, shown);
    if (!artifact_name_parse(drop->name, &id, e) || !check_kind(shown, &drop->look.file, e))
        return OUTCOME_REFUSED;
    OWN_FD int fd = file_open_beneath(directory, drop->name, O_RDONLY, 0, e);
    if (fd < 0) return e->code == ERR_NOT_FOUND ? OUTCOME_LATER : OUTCOME_REFUSED;
    if (!looks_so(fd, &drop->look.file)) return OUTCOME_LATER;
    if (open_for_writing(fd) && now_ms - drop->since_ms < BUSY_MAX_MS) return OUTCOME_LATER;
    if (!is_published(i, fd, &id, drop->look.file.size_bytes))
        return copy_and_offer(i, batch, directory, drop, &id, fd, e);
    return looks_so(fd, &drop->look.file) ? OUTCOME_SAME : OUTCOME_LATER;
}
