#include "storage-server/fence.h"

#include "lib/landlock.h"
#include "lib/log.h"
#include "lib/seccomp.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#ifdef __has_feature
#define BUILT_WITH(sanitizer) __has_feature(sanitizer)
#else
#define BUILT_WITH(sanitizer) 0
#endif

/* A leak checker looks at the end from a process of its own. */
#if defined __SANITIZE_ADDRESS__ || BUILT_WITH(address_sanitizer)
#define GIVEN_UP SECCOMP_SYSTEM
#else
#define GIVEN_UP (SECCOMP_SYSTEM | SECCOMP_TRACING | SECCOMP_PROGRAMS)
#endif

static bool keep_to_data(const char *data, struct err *e) {
    const struct landlock_rule rules[] = {
        {data,         LANDLOCK_CHANGE},
        {"/proc/self", LANDLOCK_READ  }, /* measures of the process */
    };
    OWN_FD int rules_fd = -1;
    if (!landlock_make(rules, sizeof rules / sizeof rules[0], &rules_fd, e)) return false;
    int error = landlock_enter(rules_fd);
    return error == 0 || err_errno(e, error, "Landlock");
}

static bool give_up_calls(struct err *e) {
    struct seccomp_filter filter;
    seccomp_make(GIVEN_UP, &filter);
    int error = seccomp_enter(&filter);
    return error == 0 || err_errno(e, error, "seccomp");
}

void fence_in(const char *data) {
    struct err files = {0}, calls = {0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        log_info("node.fence", "error=%s", strerrordesc_np(errno));
    (void)!keep_to_data(data, &files);
    (void)!give_up_calls(&calls);
    log_info("node.fence", "landlock=%s seccomp=%s", files.text[0] == '\0' ? "yes" : files.text,
             calls.text[0] == '\0' ? "yes" : calls.text);
}
