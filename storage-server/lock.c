#include "storage-server/lock.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define NOTE_MAX_BYTES 4096
#define ATTEMPTS 10
#define ATTEMPT_PAUSE_MS 50

static const struct json_field fields[] = {
    J(JSON_INT, struct lock_note, pid, 0),        J(JSON_INT, struct lock_note, start_time, 0),
    J(JSON_STRING, struct lock_note, boot_id, 0), J(JSON_STRING, struct lock_note, sha256, 0),
    J(JSON_INT, struct lock_note, port, 0),       J(JSON_STRING, struct lock_note, nonce, 0),
    J(JSON_STRING, struct lock_note, id, 0),      J(JSON_STRING, struct lock_note, version, 0),
};
static const struct json_schema note_schema = JSON_SCHEMA(struct lock_note, fields);

int64_t lock_parse_start_time(const char *stat) {
    const char *at = strrchr(stat, ')'); /* the name in field 2 may hold spaces and brackets */
    if (at == NULL) return -1;
    for (int field = 2; field < 22; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL) return -1;
    }
    char *end = NULL;
    long long value = strtoll(at + 1, &end, 10);
    return end != at + 1 && value >= 0 ? value : -1;
}

void lock_note_format(const struct lock_note *note, struct text *out) {
    json_encode(&note_schema, note, out);
    text_add(out, "\n");
}

static bool start_time(int64_t *out, struct err *e) {
    OWN_TEXT struct text stat = TEXT_EMPTY;
    if (!file_read("/proc/self/stat", NOTE_MAX_BYTES, &stat, e)) return false;
    *out = lock_parse_start_time(text_value(&stat));
    return *out >= 0 || err_set(e, ERR_INTERNAL, "/proc/self/stat has no start time");
}

static bool digest_self(char sha256[SHA256_HEX_SIZE], struct err *e) {
    int64_t size_bytes = 0;
    OWN_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "open /proc/self/exe");
    return sha256_file(fd, sha256, &size_bytes, e);
}

bool lock_note_self(struct lock_note *note, const char *id, const char *nonce, const char *version,
                    struct err *e) {
    *note = (struct lock_note){.pid = getpid()};
    if (!text_copy(note->id, sizeof note->id, id) ||
        !text_copy(note->nonce, sizeof note->nonce, nonce) ||
        !text_copy(note->version, sizeof note->version, version) ||
        !text_copy(note->boot_id, sizeof note->boot_id, clock_boot_id()))
        return err_set(e, ERR_INVALID, "id or nonce is longer than %d characters",
                       LOCK_ID_SIZE - 1);
    return start_time(&note->start_time, e) && digest_self(note->sha256, e);
}

bool lock_update(int fd, const struct lock_note *note, struct err *e) {
    OWN_TEXT struct text line = TEXT_EMPTY;
    lock_note_format(note, &line);
    /* In one piece over the old one, then the rest is cut off: a reader never finds it empty. */
    if (pwrite(fd, line.data, line.length, 0) != (ssize_t)line.length ||
        ftruncate(fd, (off_t)line.length) != 0)
        return err_errno(e, errno, "write the lock's note");
    return true;
}

static bool held_by_other(const char *directory, int fd, struct err *e) {
    char line[NOTE_MAX_BYTES];
    struct lock_note other;
    ssize_t length = pread(fd, line, sizeof line, 0);
    const char *end = length > 0 ? memchr(line, '\n', (size_t)length) : NULL;
    if (end != NULL) length = end - line; /* behind it may be the rest of a longer note */
    if (length <= 0 ||
        !json_decode(&note_schema, line, (size_t)length, JSON_IGNORE_UNKNOWN, &other, NULL))
        err_set(e, ERR_CONFLICT, "%s is in use by another process, which left no note", directory);
    else
        err_set(e, ERR_CONFLICT,
                "%s is in use by storage-server %s (pid %lld, port %lld, version %s)", directory,
                other.id, (long long)other.pid, (long long)other.port, other.version);
    return err_hint(e, "stop that process, or give this one a --data of its own");
}

/* Whoever looks whether the directory is in use holds the lock for a moment itself: that is no
 * holder. */
static int lock_patiently(int fd) {
    int result = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 1; i < ATTEMPTS && result != 0 && errno == EWOULDBLOCK; i++) {
        nanosleep(&(struct timespec){.tv_nsec = ATTEMPT_PAUSE_MS * 1000000L}, NULL);
        result = flock(fd, LOCK_EX | LOCK_NB);
    }
    return result;
}

bool lock_take(const char *directory, const struct lock_note *note, int *fd, struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, directory, "lock", e)) return false;
    OWN_FD int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) return err_errno(e, errno, "open %s", path);
    if (lock_patiently(lock) != 0)
        return errno == EWOULDBLOCK ? held_by_other(directory, lock, e)
                                    : err_errno(e, errno, "lock %s", path);
    if (!lock_update(lock, note, e)) return err_wrap(e, "%s", path);
    *fd = TAKE_FD(lock);
    return true;
}
