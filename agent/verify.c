#include "agent/verify.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool verify_name(const struct version *v, struct err *e) {
    struct artifact_name name;
    if (!artifact_name_parse(v->file, &name, e)) return false;
    if (strcmp(name.version, v->version) != 0)
        return err_set(e, ERR_UNTRUSTED, "%s is not version %s", v->file, v->version);
    if (platform_fits(name.platform, name.arch, platform_here(), platform_arch_here())) return true;
    return err_set(e, ERR_UNTRUSTED, "%s is for %s on %s; this machine is %s on %s", v->file,
                   name.platform, name.arch, platform_here(), platform_arch_here());
}

bool verify_digest(const struct version *v, int fd, struct err *e) {
    char found[SHA256_HEX_SIZE];
    int64_t size_bytes = 0;
    struct stat status;
    if (fstat(fd, &status) != 0) return err_errno(e, errno, "read the size of %s", v->file);
    if (status.st_size != v->size_bytes)
        return err_set(e, ERR_UNTRUSTED, "%s has %lld bytes instead of %lld", v->file,
                       (long long)status.st_size, (long long)v->size_bytes);
    if (!sha256_file(fd, found, &size_bytes, e)) return err_wrap(e, "hash %s", v->file);
    if (strcmp(found, v->sha256) == 0) return true;
    return err_set(e, ERR_UNTRUSTED,
                   "%s has SHA-256 %.12s... instead of %.12s...: the bytes were altered", v->file,
                   found, v->sha256);
}

bool verify_machine(const struct version *v, int fd, struct err *e) {
    return artifact_check_machine(fd, platform_here(), platform_arch_here(), e) ||
           err_wrap(e, "%s does not run on this machine", v->file);
}

bool verify_bytes(const struct version *v, int fd, struct err *e) {
    return verify_digest(v, fd, e) && verify_machine(v, fd, e);
}
