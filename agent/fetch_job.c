#include "agent/fetch_job.h"

#include "agent/cache.h"
#include "agent/verify.h"
#include "lib/file.h"
#include "lib/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SPACE_RESERVE (8 * 1024 * 1024) /* for records and logs beside the bytes */
#define LOCAL_MAX ((int64_t)4 * 1024 * 1024 * 1024)

const struct fetch_place fetch_store = {
    .parts = "tmp", .name = ARTIFACT_DEFAULT_NAME, .keep = cache_add};

static bool check_space(const struct state *s, const struct version *v, int64_t missing,
                        struct err *e) {
    int64_t free_bytes = 0;
    if (!file_free_bytes(s->root, &free_bytes, e)) return false;
    if (missing <= free_bytes - SPACE_RESERVE) return true;
    err_set(e, ERR_NO_SPACE, "%s needs %lld bytes more in %s, where %lld are free", v->file,
            (long long)missing + SPACE_RESERVE, s->root, (long long)free_bytes);
    return err_hint(e, "free space on that file system");
}

/* Opens what is there of the version already; *offset says how much. */
static int open_part(const char *path, const struct version *v, int64_t *offset, struct err *e) {
    struct stat status;
    OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)err_errno(e, errno, "open %s", path);
        return -1;
    }
    *offset = status.st_size <= v->size_bytes ? status.st_size : 0;
    if (*offset != status.st_size && ftruncate(fd, 0) != 0) {
        (void)err_errno(e, errno, "begin %s again", path);
        return -1;
    }
    return TAKE_FD(fd);
}

static bool download(const struct fetch_work *w, const struct version *v,
                     const struct fetch_source *from, int fd, int64_t offset,
                     struct fetch_blame *blame, struct err *e) {
    char etag[SHA256_HEX_SIZE + 2];
    int64_t received = offset;
    bool unwritable = false;
    snprintf(etag, sizeof etag, "\"%s\"", v->sha256);
    const struct http_download d = {.url = from->url,
                                    .trust.pin = from->pin[0] != '\0' ? from->pin : NULL,
                                    .token = from->token[0] != '\0' ? from->token : NULL,
                                    .fd = fd,
                                    .offset = offset,
                                    .etag = etag,
                                    .size_bytes = v->size_bytes,
                                    .stall_timeout_ms = w->stall_timeout_ms,
                                    .progress = w->progress,
                                    .progress_argument = w->argument,
                                    .unwritable = &unwritable};
    if (http_download(&d, &received, e)) return true;
    if (e->code == ERR_UNTRUSTED) received = 0; /* too long: none of it is what we want */
    bool cut = ftruncate(fd, received) == 0 ||
               err_errno(e, errno, "cut what was downloaded of %s", v->file);
    blame->cause = unwritable || !cut ? "machine" : "download";
    return false;
}

/* Whole bytes that are wrong are worth nothing: the next attempt begins at 0. */
static bool verify_part(const struct fetch_work *w, const struct version *v, int fd,
                        const char *path, struct fetch_blame *blame, struct err *e) {
    w->verifying(w->argument);
    bool genuine = verify_digest(v, fd, e);
    if (genuine && verify_machine(v, fd, e)) return true;
    /* Of the very bytes that are asked for asking again gives the same. */
    blame->refused = genuine && e->code == ERR_UNTRUSTED;
    (void)unlink(path);
    return false;
}

/* That the name fits this machine, the version and what the place is for. */
static bool check_name(const struct fetch_work *w, const struct version *v, struct err *e) {
    struct artifact_name name;
    if (!verify_name(v, e) || !artifact_name_parse(v->file, &name, e)) return false;
    if (strcmp(name.name, w->place->name) == 0) return true;
    return err_set(e, ERR_UNTRUSTED, "%s is not a build of %s", v->file, w->place->name);
}

/* Metadata that are new may name what those here do not. What even the newest refuse they refuse
 * until there are others. */
static bool check_trust(const struct fetch_work *w, struct version *v, struct fetch_blame *blame,
                        struct err *e) {
    *blame = (struct fetch_blame){.cause = "download"};
    if (trust_allows(w->trust, v, &v->targets_version, e)) return true;
    if (!trust_refresh(w->trust, w->go_on, w->argument, e)) return false;
    if (trust_allows(w->trust, v, &v->targets_version, e)) return true;
    blame->refused = e->code == ERR_UNTRUSTED;
    blame->cause = "untrusted";
    return false;
}

/* Metadata are the first that a full disk has no room for; told is what the version needs. */
static void blame_disk(const struct fetch_work *w, const struct version *v,
                       struct fetch_blame *blame, struct err *e) {
    struct err room = {0};
    blame->cause = "machine";
    if (!check_space(w->state, v, v->size_bytes, &room)) *e = room;
}

static bool get(const struct fetch_work *w, struct version *v, const struct fetch_source *from,
                struct fetch_blame *blame, struct err *e) {
    char path[STATE_PATH_SIZE];
    int64_t offset = 0;
    *blame = (struct fetch_blame){.refused = true, .cause = "download"};
    if (!sha256_hex_valid(v->sha256) || v->size_bytes <= 0)
        return err_set(e, ERR_INVALID, "the master names no size and SHA-256 of %s", v->file);
    if (!check_name(w, v, e)) return false;
    if (!check_trust(w, v, blame, e)) {
        if (e->code == ERR_NO_SPACE) blame_disk(w, v, blame, e);
        return false;
    }
    *blame = (struct fetch_blame){.cause = "machine"};
    state_path(w->state, path, "%s/%s.part", w->place->parts, v->sha256);
    OWN_FD int fd = open_part(path, v, &offset, e);
    if (fd < 0 || !check_space(w->state, v, v->size_bytes - offset, e)) return false;
    if (offset < v->size_bytes && !download(w, v, from, fd, offset, blame, e))
        return err_wrap(e, "download %s", v->file);
    if (!verify_part(w, v, fd, path, blame, e)) return false;
    if (w->place->keep(w->state, v, fd, path, e)) return true;
    /* After a failed flush a second one would succeed without the bytes being on the disk. */
    (void)unlink(path);
    return false;
}

bool fetch_job_download(const struct fetch_work *w, const struct version *v,
                        const struct fetch_source *from, struct fetch_blame *blame, struct err *e) {
    struct version named = {0};
    version_copy(&named, v);
    bool done = get(w, &named, from, blame, e);
    version_clear(&named);
    if (!done && e->code == ERR_UNTRUSTED) blame->cause = "untrusted";
    return done;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Whoever may name a file in the agent's configuration may run what he likes here: the targets need
 * not name it, and are only asked so that it can be told apart. */
static bool describe_local(const struct fetch_work *w, const char *path, struct version *v,
                           struct err *e) {
    struct artifact_name name;
    int64_t targets_version = 0;
    if (!text_copy(v->file, sizeof v->file, base_name(path)))
        return err_set(e, ERR_INVALID, "binary_path %.200s: the name is too long", path);
    if (artifact_name_parse(v->file, &name, NULL))
        memcpy(v->version, name.version, sizeof v->version);
    if (trust_allows(w->trust, v, &targets_version, NULL)) v->targets_version = targets_version;
    return true;
}

static bool take_local(const struct fetch_work *w, const char *path, int source, struct version *v,
                       struct err *e) {
    char part[STATE_PATH_SIZE];
    state_path(w->state, part, "tmp/local.part");
    OWN_FD int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_errno(e, errno, "open %s", part);
    if (!file_copy_hashed(source, fd, LOCAL_MAX, v->sha256, &v->size_bytes, e))
        return err_wrap(e, "copy %s", path);
    w->verifying(w->argument);
    return describe_local(w, path, v, e) && verify_bytes(v, fd, e) &&
           w->place->keep(w->state, v, fd, part, e);
}

bool fetch_job_local(const struct fetch_work *w, const char *path, struct version *out,
                     struct err *e) {
    struct stat status;
    *out = (struct version){0};
    OWN_FD int source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source < 0 || fstat(source, &status) != 0)
        return err_errno(e, errno, "binary_path %s", path);
    if (!S_ISREG(status.st_mode))
        return err_set(e, ERR_INVALID, "binary_path %s is not a file", path);
    if (take_local(w, path, source, out, e)) return true;
    version_clear(out);
    return false;
}
