#include "lib/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* linux/landlock.h of the oldest system that builds us knows less than the kernels that run us. */
enum {
    RIGHT_EXECUTE = 1 << 0,
    RIGHT_WRITE_FILE = 1 << 1,
    RIGHT_READ_FILE = 1 << 2,
    RIGHT_READ_DIR = 1 << 3,
    RIGHT_REFER = 1 << 13,     /* version 2 */
    RIGHT_TRUNCATE = 1 << 14,  /* version 3 */
    RIGHT_IOCTL_DEV = 1 << 15, /* version 5 */
    RIGHTS_FIRST = (1 << 13) - 1,
    SCOPE_ABSTRACT_SOCKET = 1 << 0, /* version 6 */
    SCOPE_SIGNAL = 1 << 1,
    RULE_PATH_BENEATH = 1,
    ASK_VERSION = 1,
    OLDEST = 2,
};

struct ruleset_attributes {
    uint64_t handled_files;
    uint64_t handled_network; /* version 4 */
    uint64_t scoped;          /* version 6 */
};

struct path_attributes {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

int landlock_version(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t all_rights(int version) {
    uint64_t rights = RIGHTS_FIRST | RIGHT_REFER;
    if (version >= 3) rights |= RIGHT_TRUNCATE;
    if (version >= 5) rights |= RIGHT_IOCTL_DEV;
    return rights;
}

static uint64_t rights_of(enum landlock_use use, uint64_t all, bool is_directory) {
    uint64_t read = RIGHT_READ_FILE | RIGHT_READ_DIR;
    uint64_t rights = use == LANDLOCK_CHANGE ? all & ~(uint64_t)RIGHT_EXECUTE : read;
    if (use == LANDLOCK_RUN) rights |= RIGHT_EXECUTE;
    uint64_t of_files =
        RIGHT_EXECUTE | RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV;
    return is_directory ? rights : rights & of_files;
}

static bool add(int rules_fd, const struct landlock_rule *rule, uint64_t all, struct err *e) {
    struct stat about;
    OWN_FD int fd = open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == EACCES)) return true;
    if (fd < 0 || fstat(fd, &about) != 0) return err_errno(e, errno, "%.128s", rule->path);
    struct path_attributes attributes = {
        .allowed = rights_of(rule->use, all, S_ISDIR(about.st_mode)), .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules_fd, RULE_PATH_BENEATH, &attributes, 0) == 0)
        return true;
    return err_errno(e, errno, "Landlock rule for %.128s", rule->path);
}

bool landlock_make(const struct landlock_rule *rules, size_t count, int *out, struct err *e) {
    int version = landlock_version();
    struct ruleset_attributes attributes = {.handled_files = all_rights(version)};
    size_t size = version >= 6 ? sizeof attributes : sizeof attributes.handled_files;
    if (version < OLDEST)
        return err_set(e, ERR_UNAVAILABLE,
                       version == 0 ? "the kernel has no Landlock"
                                    : "the kernel's Landlock is too old");
    if (version >= 6) attributes.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
    OWN_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (fd < 0) return err_errno(e, errno, "Landlock");
    for (size_t i = 0; i < count; i++)
        if (!add(fd, &rules[i], attributes.handled_files, e)) return false;
    *out = TAKE_FD(fd);
    return true;
}

int landlock_enter(int rules_fd) {
    return syscall(SYS_landlock_restrict_self, rules_fd, 0) == 0 ? 0 : errno;
}
