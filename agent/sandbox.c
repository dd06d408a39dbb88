#include "agent/sandbox.h"

#include "lib/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NODE_DESCRIPTORS = 65536, WALK_DESCRIPTORS = 16 };

static const char *const layer_names[SANDBOX_LAYERS] = {
    [SANDBOX_LIMITS] = "limits",
    [SANDBOX_DESCRIPTORS] = "descriptors",
    [SANDBOX_PRIVILEGES] = "no-new-privileges",
    [SANDBOX_USER_LAYER] = "separate-user",
    [SANDBOX_FILES] = "landlock",
    [SANDBOX_SYSTEM_CALLS] = "seccomp",
};

static void lacks(struct sandbox *s, enum sandbox_layer layer, const char *why) {
    s->active[layer] = false;
    snprintf(s->why[layer], sizeof s->why[layer], "%s", why);
}

/* Reads /etc/passwd itself: name services are nothing that a static program could load. */
static bool find_user(struct sandbox *s) {
    FILE *users = fopen("/etc/passwd", "re");
    bool found = false;
    for (struct passwd *p; users != NULL && !found && (p = fgetpwent(users)) != NULL;) {
        found = strcmp(p->pw_name, SANDBOX_USER) == 0 && p->pw_uid != 0;
        s->user = p->pw_uid;
        s->group = p->pw_gid;
    }
    if (users != NULL) (void)fclose(users);
    return found;
}

/* By the system calls: the C library's functions would stop all threads, which a child of fork has
 * none of any more. */
static int become_user(const struct sandbox *s) {
    bool done = syscall(SYS_setgroups, 0, NULL) == 0 &&
                syscall(SYS_setresgid, s->group, s->group, s->group) == 0 &&
                syscall(SYS_setresuid, s->user, s->user, s->user) == 0;
    return done ? 0 : errno;
}

/* Whether a child that does this comes back with 0, or with which errno. */
static int try_in_child(int (*attempt)(const struct sandbox *s), const struct sandbox *s) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(attempt(s));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
}

static void probe_user(struct sandbox *s) {
    if (geteuid() != 0) {
        lacks(s, SANDBOX_USER_LAYER, "the agent is not root");
        return;
    }
    if (!find_user(s)) {
        lacks(s, SANDBOX_USER_LAYER, "there is no user " SANDBOX_USER " in /etc/passwd");
        return;
    }
    int error = try_in_child(become_user, s);
    if (error != 0) lacks(s, SANDBOX_USER_LAYER, strerrordesc_np(error));
}

static int deny_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static int attempt_files(const struct sandbox *s) {
    int rules = -1;
    (void)s;
    int error = landlock_make(NULL, 0, &rules, NULL) ? deny_privileges() : ENOSYS;
    return error == 0 ? landlock_enter(rules) : error;
}

static int attempt_filter(const struct sandbox *s) {
    int error = deny_privileges();
    return error == 0 ? seccomp_enter(&s->filter) : error;
}

static void probe_files(struct sandbox *s) {
    struct err e = {0};
    int rules = -1;
    if (!landlock_make(NULL, 0, &rules, &e)) {
        lacks(s, SANDBOX_FILES, e.text);
        return;
    }
    close(rules);
    int error = try_in_child(attempt_files, s);
    if (error != 0) lacks(s, SANDBOX_FILES, strerrordesc_np(error));
}

/* Landlock keeps a process from tracing others already, and allows what a leak checker does with
 * threads of its own. */
static void probe_filter(struct sandbox *s) {
    seccomp_make(SECCOMP_SYSTEM | (s->active[SANDBOX_FILES] ? 0U : SECCOMP_TRACING), &s->filter);
    int error = seccomp_available() ? try_in_child(attempt_filter, s) : ENOSYS;
    if (error != 0) lacks(s, SANDBOX_SYSTEM_CALLS, strerrordesc_np(error));
}

void sandbox_probe(struct sandbox *s, bool wanted) {
    *s = (struct sandbox){0};
    for (int i = 0; i < SANDBOX_LAYERS; i++) s->active[i] = true;
    if (wanted) {
        probe_user(s);
        probe_files(s);
        probe_filter(s);
        return;
    }
    for (int i = 0; i < SANDBOX_LAYERS; i++)
        if (i != SANDBOX_DESCRIPTORS && i != SANDBOX_PRIVILEGES)
            lacks(s, (enum sandbox_layer)i, "switched off by --sandbox=off");
}

static _Thread_local const struct sandbox *giving; /* nftw takes no argument along */

static int give_file(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)kind;
    (void)at;
    if (about->st_uid == giving->user && about->st_gid == giving->group) return 0;
    return lchown(path, giving->user, giving->group);
}

/* Hard links may lead to files of others, but only the node itself writes here. */
static bool give_data(const struct sandbox *s, const char *data, struct err *e) {
    giving = s;
    if (nftw(data, give_file, WALK_DESCRIPTORS, FTW_PHYS | FTW_MOUNT) == 0) return true;
    err_errno(e, errno, "give %.128s to user " SANDBOX_USER, data);
    return err_hint(e, "start the agent with --sandbox=off where its data cannot have an owner");
}

/* A copy in memory may be run without a rule. */
static bool make_rules(const char *data, int store_fd, int *out, struct err *e) {
    char store_file[32] = "";
    if (store_fd >= 0) snprintf(store_file, sizeof store_file, "/proc/self/fd/%d", store_fd);
    const struct landlock_rule rules[] = {
        {"/usr",         LANDLOCK_RUN   },
        {"/lib",         LANDLOCK_RUN   },
        {"/lib64",       LANDLOCK_RUN   },
        {"/lib32",       LANDLOCK_RUN   },
        {"/bin",         LANDLOCK_RUN   },
        {"/etc",         LANDLOCK_READ  },
        {"/proc",        LANDLOCK_READ  },
        {"/sys",         LANDLOCK_READ  },
        {"/dev/null",    LANDLOCK_CHANGE},
        {"/dev/urandom", LANDLOCK_READ  },
        {data,           LANDLOCK_CHANGE},
        {store_file,     LANDLOCK_RUN   },
    };
    return landlock_make(rules, sizeof rules / sizeof rules[0], out, e);
}

bool sandbox_prepare(const struct sandbox *s, const char *data, int store_fd, bool owned,
                     struct sandbox_start *out, struct err *e) {
    *out = (struct sandbox_start){.sandbox = s, .rules_fd = -1};
    out->separate_user = s->active[SANDBOX_USER_LAYER] && store_fd < 0;
    if (out->separate_user && !owned && !give_data(s, data, e)) return false;
    return !s->active[SANDBOX_FILES] || make_rules(data, store_fd, &out->rules_fd, e);
}

void sandbox_start_fini(struct sandbox_start *start) {
    if (start->rules_fd >= 0) close(start->rules_fd);
    start->rules_fd = -1;
}

static int limit(void) {
    const struct rlimit none = {0};
    struct rlimit descriptors;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return errno;
    if (descriptors.rlim_max > NODE_DESCRIPTORS) descriptors.rlim_max = NODE_DESCRIPTORS;
    if (descriptors.rlim_cur > NODE_DESCRIPTORS) descriptors.rlim_cur = NODE_DESCRIPTORS;
    return setrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? 0 : errno;
}

int sandbox_enter(const struct sandbox_start *start) {
    const struct sandbox *s = start->sandbox;
    int error = s->active[SANDBOX_LIMITS] ? limit() : 0;
    if (error == 0 && start->separate_user) error = become_user(s);
    if (error == 0) error = deny_privileges();
    if (error == 0 && start->rules_fd >= 0) error = landlock_enter(start->rules_fd);
    if (error == 0 && s->active[SANDBOX_SYSTEM_CALLS]) error = seccomp_enter(&s->filter);
    return error;
}

char *sandbox_layers(const struct sandbox_start *start) {
    struct text lines = TEXT_EMPTY;
    for (int i = 0; i < SANDBOX_LAYERS; i++)
        if (i == SANDBOX_USER_LAYER ? start->separate_user : start->sandbox->active[i])
            text_add_format(&lines, "%s%s", lines.length > 0 ? "\n" : "", layer_names[i]);
    return text_take(&lines);
}

static bool has_line(const char *lines, const char *line) {
    size_t length = strlen(line);
    for (const char *at = lines; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, '\n');
        if ((size_t)(end - at) == length && memcmp(at, line, length) == 0) return true;
        at = *end == '\n' ? end + 1 : end;
    }
    return false;
}

/* NULL when all have it. */
static const char *who_lacks(const char *layer, const struct sandbox_run *runs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!has_line(runs[i].layers, layer)) return runs[i].node;
    return NULL;
}

char *sandbox_text(const struct sandbox *s, const struct sandbox_run *runs, size_t count) {
    struct text lines = TEXT_EMPTY;
    for (int i = 0; i < SANDBOX_LAYERS; i++) {
        const char *node = who_lacks(layer_names[i], runs, count);
        bool works = count > 0 ? node == NULL : s->active[i];
        text_add_format(&lines, "%s%s=%s", i > 0 ? "\n" : "", layer_names[i],
                        works ? "yes" : "no: ");
        if (!works && s->active[i])
            text_add_format(&lines, "node %s was started without it", node);
        else if (!works)
            text_add(&lines, s->why[i]);
    }
    return text_take(&lines);
}
