#include "agent/state.h"

#include "lib/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_PATIENCE_MS = 2000 };

const char *state_path(const struct state *s, char out[STATE_PATH_SIZE], const char *format, ...) {
    int root = snprintf(out, STATE_PATH_SIZE, "%s/", s->root);
    va_list arguments;
    va_start(arguments, format);
    int rest = vsnprintf(out + root, STATE_PATH_SIZE - (size_t)root, format, arguments);
    va_end(arguments);
    assert(rest >= 0 && root + rest < STATE_PATH_SIZE);
    return out;
}

static bool resolve(struct state *s, const char *directory, struct err *e) {
    OWN_MEMORY char *absolute = realpath(directory, NULL);
    if (absolute == NULL) return err_errno(e, errno, "find %s", directory);
    if (text_copy(s->root, sizeof s->root, absolute)) return true;
    return err_set(e, ERR_INVALID, "%s: the path is longer than %d characters", directory,
                   STATE_ROOT_SIZE - 1);
}

static bool make_parts(const struct state *s, struct err *e) {
    static const char *const parts[] = {"identity", "store", "tmp", "nodes", "tuf"};
    char path[STATE_PATH_SIZE];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!file_make_directory(state_path(s, path, "%s", parts[i]), 0700, e)) return false;
    return true;
}

static void tidy(const struct state *s) {
    static const char *const parts[] = {"", "identity", "store", "tuf"};
    char path[STATE_PATH_SIZE];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        file_drop_unfinished(state_path(s, path, "%s", parts[i]));
    DIR *nodes = opendir(state_path(s, path, "nodes"));
    if (nodes == NULL) return;
    for (const struct dirent *entry; (entry = readdir(nodes)) != NULL;)
        if (entry->d_name[0] != '.')
            file_drop_unfinished(state_path(s, path, "nodes/%s", entry->d_name));
    closedir(nodes);
}

void state_pass_over_master(void) {
    const char *state = getenv("GRID_STATE");
    char path[PATH_MAX];
    if (state != NULL && file_join(path, sizeof path, state, "grid.db", NULL) &&
        access(path, F_OK) == 0)
        unsetenv("GRID_STATE");
}

bool state_find(struct state *s, const char *directory, struct err *e) {
    s->lock_fd = -1;
    return resolve(s, directory, e);
}

bool state_open(struct state *s, const char *directory, struct err *e) {
    char path[STATE_PATH_SIZE];
    s->lock_fd = -1;
    if (!file_make_directory(directory, 0700, e) || !resolve(s, directory, e)) return false;
    if (!file_lock_patiently(state_path(s, path, "lock"), "grid-agent", LOCK_PATIENCE_MS,
                             &s->lock_fd, e)) {
        err_wrap(e, "state directory %s", directory);
        if (e != NULL && e->code != ERR_CONFLICT) return false;
        return err_hint(e, "stop that agent, or give this one a --state directory of its own");
    }
    if (!make_parts(s, e)) return false;
    tidy(s);
    return true;
}

bool state_lost(const struct state *s) {
    char path[STATE_PATH_SIZE];
    struct stat held, there;
    if (fstat(s->lock_fd, &held) != 0) return false;
    if (stat(state_path(s, path, "lock"), &there) != 0) return errno == ENOENT;
    return held.st_ino != there.st_ino || held.st_dev != there.st_dev;
}

bool state_restore(struct state *s, struct err *e) {
    char path[STATE_PATH_SIZE];
    int lock_fd = -1;
    if (!file_make_directory(s->root, 0700, e) ||
        !file_lock(state_path(s, path, "lock"), "grid-agent", &lock_fd, e))
        return false;
    close(s->lock_fd);
    s->lock_fd = lock_fd;
    return make_parts(s, e);
}

void state_close(struct state *s) {
    if (s->lock_fd >= 0) close(s->lock_fd);
    s->lock_fd = -1;
}
