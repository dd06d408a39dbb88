#include "cli/binary_file.h"

#include "cli/api.h"
#include "cli/key_file.h"
#include "lib/file.h"
#include "lib/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIGNATURE_MAX_BYTES 4096

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const char *first_set(const char *option, const char *otherwise) {
    return option[0] != '\0' ? option : otherwise;
}

bool binary_file_identify(const char *path, const struct settings *s, struct artifact_name *out,
                          struct err *e) {
    struct artifact_name parsed = {0};
    bool complete = s->artifact_version[0] != '\0' && s->platform[0] != '\0' && s->arch[0] != '\0';
    if (!artifact_name_parse(base_name(path), &parsed, e)) {
        if (!complete)
            return err_hint(e, "name it NAME-VERSION-PLATFORM-ARCH, or say it with --name "
                               "--version --platform --arch");
        snprintf(parsed.name, sizeof parsed.name, ARTIFACT_DEFAULT_NAME);
    }
    return artifact_name_make(
        first_set(s->name, parsed.name), first_set(s->artifact_version, parsed.version),
        first_set(s->platform, parsed.platform), first_set(s->arch, parsed.arch), out, e);
}

bool binary_file_open(const char *path, const struct settings *s, struct binary_file *out,
                      struct err *e) {
    struct stat status;
    *out = (struct binary_file){.fd = -1};
    if (!text_copy(out->path, sizeof out->path, path))
        return err_set(e, ERR_USAGE, "the path is too long");
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        err_errno(e, errno, "cannot read %s", path);
        return err_hint(e, "the path of a file on this machine");
    }
    if (!S_ISREG(status.st_mode)) return err_set(e, ERR_USAGE, "%s is not a regular file", path);
    if (status.st_size == 0) return err_set(e, ERR_INVALID, "%s is empty", path);
    if (!binary_file_identify(path, s, &out->id, e)) return false;
    artifact_file_name(&out->id, out->name);
    if (!sha256_file(fd, out->sha256, &out->size_bytes, e)) return err_wrap(e, "%s", path);
    out->fd = TAKE_FD(fd);
    return true;
}

void binary_file_close(struct binary_file *f) {
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

bool binary_file_signature(const struct binary_file *f, const struct settings *s, struct text *out,
                           bool *found, struct err *e) {
    *found = true;
    if (s->signature[0] != '\0')
        return file_read(s->signature, SIGNATURE_MAX_BYTES, out, e) || err_wrap(e, "signature");
    char path[PATH_MAX + 16];
    struct err missing = {0};
    snprintf(path, sizeof path, "%s.minisig", f->path);
    if (file_read(path, SIGNATURE_MAX_BYTES, out, &missing)) return true;
    *found = false;
    if (missing.code == ERR_NOT_FOUND) return true;
    *e = missing;
    return err_wrap(e, "signature");
}

bool binary_file_sign(const struct binary_file *f, const char *key_path, struct text *out,
                      struct err *e) {
    OWN(sign_secret) struct sign_secret *key = NULL;
    return key_file_secret(key_path, &key, e) && sign_file(key, f->fd, f->name, out, e);
}

void binary_path(const struct artifact_name *id, const char *what, struct text *out) {
    text_add(out, "/api/binaries");
    api_path_add(out, id->version);
    api_path_add(out, id->platform);
    api_path_add(out, id->arch);
    if (what != NULL) text_add_format(out, "/%s", what);
    api_query_add(out, "name", id->name);
}
