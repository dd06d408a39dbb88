#include "agent/adopt.h"

#include "agent/health.h"
#include "lib/clock.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <time.h>

enum { PATH_SIZE = 4096, STAT_MAX = 4096, START_TIME_FIELD = 22 };

/* Fields from the third on: the second holds a name in brackets that may hold anything. */
static int64_t parse_start_time(char *stat) {
    char *at = strrchr(stat, ')');
    if (at == NULL || at[1] == '\0' || at[2] == 'Z') return -1;
    for (int field = 2; at != NULL && field < START_TIME_FIELD; field++) at = strchr(at + 1, ' ');
    return at != NULL ? strtoll(at + 1, NULL, 10) : -1;
}

int64_t adopt_start_time(pid_t pid) {
    char path[64];
    OWN_TEXT struct text stat = TEXT_EMPTY;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!file_read(path, STAT_MAX, &stat, NULL) || stat.data == NULL) return -1;
    return parse_start_time(stat.data);
}

int64_t adopt_age_ms(int64_t start_time) {
    struct timespec since_boot;
    long ticks = sysconf(_SC_CLK_TCK);
    if (ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0) return 0;
    int64_t up_ms = (int64_t)since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1000000;
    int64_t age_ms = up_ms - start_time * 1000 / ticks;
    return age_ms > 0 ? age_ms : 0;
}

/* The lock file, or -1 when there is none. */
static int open_lock(const char *data) {
    char path[PATH_SIZE];
    if (!file_join(path, sizeof path, data, "lock", NULL)) return -1;
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static bool held(int lock_fd) {
    if (flock(lock_fd, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    flock(lock_fd, LOCK_UN);
    return false;
}

bool adopt_is_held(const char *data) {
    OWN_FD int fd = open_lock(data);
    return fd >= 0 && held(fd);
}

static void foreign(struct adopt_result *out, const char *format, ...) PRINTF_LIKE(2, 3);
static void foreign(struct adopt_result *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->reason, sizeof out->reason, format, arguments);
    va_end(arguments);
    out->verdict = ADOPT_FOREIGN;
}

/* Whether the note describes the process that has this pid now. The descriptor was opened before:
 * whatever agrees is true of the process behind it. */
static bool is_that_process(const struct node_note *note, const char *data,
                            struct adopt_result *out) {
    if (strcmp(note->boot_id, clock_boot_id()) == 0 &&
        adopt_start_time((pid_t)note->pid) == note->start_time)
        return true;
    foreign(out, "%s is in use, but not by the process that its lock names (pid %lld)", data,
            (long long)note->pid);
    return false;
}

static bool answers_as_ours(const struct node_note *note, const char *data, const char *node_id,
                            struct adopt_result *out) {
    struct health health;
    if (strcmp(note->id, node_id) != 0 || note->nonce[0] == '\0') {
        foreign(out,
                "%s is in use by storage-server %.60s (pid %lld), which this agent did not start",
                data, note->id, (long long)note->pid);
        return false;
    }
    if (note->port <= 0 || note->port > 65535) {
        foreign(out, "%s is in use by pid %lld, which does not listen yet", data,
                (long long)note->pid);
        return false;
    }
    bool proven = health_ask((int)note->port, note->nonce, &health);
    if (!proven)
        foreign(out, "%s is in use by pid %lld, which does not answer as ours on port %lld: %.80s",
                data, (long long)note->pid, (long long)note->port,
                health.reasons != NULL ? health.reasons : "");
    health_clear(&health);
    return proven;
}

/* Nobody else knows the nonce: it was made for this start, and only that process was given it. */
static bool is_recorded(const struct node_note *note, const char *node_id, const char *nonce) {
    return nonce[0] != '\0' && strcmp(note->nonce, nonce) == 0 && strcmp(note->id, node_id) == 0;
}

static void examine_held(int lock_fd, const char *data, const char *node_id, const char *nonce,
                         struct adopt_result *out) {
    struct err e = {0};
    struct node_note *note = &out->note;
    if (!record_read_note(lock_fd, note, &e) || note->pid <= 0 || note->pid > INT32_MAX) {
        foreign(out, "%s is in use by a process that left no note in its lock", data);
        return;
    }
    OWN_FD int pidfd = pidfd_open((pid_t)note->pid, 0);
    if (pidfd < 0) {
        foreign(out, "%s is in use, but not by pid %lld as its lock says", data,
                (long long)note->pid);
        return;
    }
    if (!is_that_process(note, data, out)) return;
    bool answers = answers_as_ours(note, data, node_id, out);
    if (!answers && !is_recorded(note, node_id, nonce)) return;
    out->verdict = answers ? ADOPT_OURS : ADOPT_SILENT;
    out->pidfd = TAKE_FD(pidfd);
}

void adopt_examine(const char *data, const char *node_id, const char *nonce,
                   struct adopt_result *out) {
    *out = (struct adopt_result){.verdict = ADOPT_FREE, .pidfd = -1};
    OWN_FD int fd = open_lock(data);
    if (fd >= 0 && held(fd)) examine_held(fd, data, node_id, nonce, out);
}
