/* tuf-client: a client of any TUF repository, which speaks the command line of the public
 * conformance suite (theupdateframework/tuf-conformance). Time is the wall clock.
 *
 *   tuf-client --metadata-dir DIR init ROOT
 *   tuf-client --metadata-url URL --metadata-dir DIR refresh
 *   tuf-client --metadata-url URL --metadata-dir DIR --target-name PATH --target-dir DIR
 *              --target-base-url URL download
 *
 * --ca FILE names the certificates that https URLs must go back to, in place of the system's.
 *
 * Trusted metadata are FILE.json in the metadata folder, byte for byte; a target is kept under its
 * percent-encoded path, so that none leaves the target folder. Exits with 0, or with 1 when
 * anything failed. */
#include "lib/tuf_client.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/file.h"
#include "lib/http_client.h"
#include "lib/options.h"
#include "lib/sign.h"
#include "lib/tuf_foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CA_MAX_BYTES = 1024 * 1024 };

struct settings {
    char metadata_directory[1024];
    char metadata_url[2048];
    char target_name[2048];
    char target_directory[1024];
    char target_url[2048];
    char ca_file[1024];
    struct text ca_pem; /* of that file */
};

static const struct option_entry entries[] = {
    {.flag = "metadata-dir",
     .type = OPTION_STRING,
     OPTION(struct settings, metadata_directory),
     .value_name = "DIR",
     .help = "Where trusted metadata are kept"                                          },
    {.flag = "metadata-url",
     .type = OPTION_STRING,
     OPTION(struct settings, metadata_url),
     .value_name = "URL",
     .help = "Where the repository has its metadata"                                    },
    {.flag = "target-name",
     .type = OPTION_STRING,
     OPTION(struct settings, target_name),
     .value_name = "PATH",
     .help = "What to download"                                                         },
    {.flag = "target-dir",
     .type = OPTION_STRING,
     OPTION(struct settings, target_directory),
     .value_name = "DIR",
     .help = "Where downloaded targets are kept"                                        },
    {.flag = "target-base-url",
     .type = OPTION_STRING,
     OPTION(struct settings, target_url),
     .value_name = "URL",
     .help = "Where the repository has its targets"                                     },
    {.flag = "ca",
     .type = OPTION_STRING,
     OPTION(struct settings, ca_file),
     .value_name = "FILE",
     .help = "Certificates (PEM) that https URLs must go back to; default: the system's"},
};
static const struct options options = {
    .entries = entries,
    .count = sizeof entries / sizeof entries[0],
};

#if defined(__SANITIZE_ADDRESS__)
/* faketime is a library that is loaded before all others, the sanitizer's own included. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "verify_asan_link_order=0";
}
#endif

static bool load(void *argument, const char *file, struct text *out, struct err *e) {
    const struct settings *s = argument;
    char path[2048];
    return file_join(path, sizeof path, s->metadata_directory, file, e) &&
           file_read(path, TUF_TARGETS_MAX_BYTES, out, e);
}

static bool save(void *argument, const char *file, const char *bytes, size_t length,
                 struct err *e) {
    const struct settings *s = argument;
    char path[2048];
    if (!file_join(path, sizeof path, s->metadata_directory, file, e)) return false;
    if (bytes == NULL) return file_remove_durable(path, e);
    return file_write_durable(path, bytes, length, 0644, e);
}

static void join_url(struct text *out, const char *base, const char *rest) {
    size_t length = strlen(base);
    text_add_bytes(out, base, length > 0 && base[length - 1] == '/' ? length - 1 : length);
    text_add_format(out, "/%s", rest);
}

static struct http_trust server_trust(const struct settings *s) {
    return (struct http_trust){.ca_pem = s->ca_pem.length > 0 ? s->ca_pem.data : NULL};
}

/* Stores of objects answer 403 for what is not there. */
static bool fetch(void *argument, const char *file, size_t max_bytes, struct text *out,
                  struct err *e) {
    const struct settings *s = argument;
    OWN_TEXT struct text url = TEXT_EMPTY;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    join_url(&url, s->metadata_url, file);
    const struct http_call call = {
        .url = url.data, .trust = server_trust(s), .answer_max_bytes = max_bytes};
    if (!http_call(&call, &answer, e)) return false;
    if (answer.status == 403 || answer.status == 404)
        return err_set(e, ERR_NOT_FOUND, "%.160s: status %d", url.data, answer.status);
    if (answer.status != 200)
        return err_set(e, ERR_UNAVAILABLE, "%.160s: status %d", url.data, answer.status);
    text_add_bytes(out, text_value(&answer.body), answer.body.length);
    return true;
}

static bool open_client(struct settings *s, struct tuf_client **out, struct err *e) {
    const struct tuf_client_options o = {
        .argument = s, .load = load, .save = save, .fetch = fetch, .foreign = &tuf_foreign};
    return tuf_client_open(out, &o, e);
}

/* Only a root that speaks for itself is taken. Metadata of before stay as far as they fit it. */
static bool init(struct settings *s, const char *root_path, struct err *e) {
    struct tuf_root root;
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    if (!file_read(root_path, TUF_ROOT_MAX_BYTES, &bytes, e) ||
        !tuf_root_parse(text_value(&bytes), bytes.length, &root, e))
        return err_wrap(e, "%.160s", root_path);
    bool good = tuf_verify(text_value(&bytes), bytes.length, "root", &root.keys,
                           &root.roles[TUF_ROOT], &tuf_foreign, e);
    tuf_root_clear(&root);
    return good && file_make_directory(s->metadata_directory, 0755, e) &&
           save(s, "root.json", text_value(&bytes), bytes.length, e);
}

static bool report_attack(const struct tuf_client *c, struct err *e) {
    const char *attack = tuf_attack_name(tuf_client_attack(c));
    return attack[0] != '\0' ? err_wrap(e, "%s", attack) : false;
}

static bool refresh(struct settings *s, struct err *e) {
    OWN(tuf_client) struct tuf_client *c = NULL;
    if (!open_client(s, &c, e)) return false;
    return tuf_client_refresh(c, clock_wall_ms(), e) || report_attack(c, e);
}

static bool is_promised(int fd, const struct tuf_target *t, struct err *e) {
    struct stat status;
    if (fstat(fd, &status) != 0) return err_errno(e, errno, "look at %.160s", t->path);
    size_t length = (size_t)status.st_size;
    void *bytes = length > 0 ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0) : "";
    if (bytes == MAP_FAILED) return err_errno(e, errno, "read %.160s", t->path);
    bool kept = tuf_promise_kept(&t->promise, bytes, length, t->path, e);
    if (length > 0) munmap(bytes, length);
    return kept;
}

static bool is_here(const char *path, const struct tuf_target *t) {
    OWN_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && is_promised(fd, t, NULL);
}

static void target_url(const struct settings *s, const struct tuf_client *c,
                       const struct tuf_target *t, struct text *out) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN_TEXT struct text encoded = TEXT_EMPTY;
    char *rest = NULL;
    tuf_client_target_file(c, t, &file);
    for (char *part = strtok_r(file.data, "/", &rest); part != NULL;
         part = strtok_r(NULL, "/", &rest)) {
        if (encoded.length > 0) text_add(&encoded, "/");
        encode_url(&encoded, part);
    }
    join_url(out, s->target_url, text_value(&encoded));
}

static bool get_target(const struct settings *s, const struct tuf_client *c,
                       const struct tuf_target *t, const char *path, struct err *e) {
    char temporary[sizeof s->target_directory + 32];
    int64_t received = 0;
    OWN_TEXT struct text url = TEXT_EMPTY;
    snprintf(temporary, sizeof temporary, "%s/.download-XXXXXX", s->target_directory);
    OWN_FD int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "write below %.160s", s->target_directory);
    target_url(s, c, t, &url);
    struct http_download d = {
        .url = url.data, .trust = server_trust(s), .fd = fd, .size_bytes = t->promise.length};
    if (http_download(&d, &received, e) && is_promised(fd, t, e) &&
        file_publish(fd, temporary, path, e))
        return true;
    unlink(temporary);
    return err_wrap(e, "download %.120s", t->path);
}

static bool download(struct settings *s, struct err *e) {
    const struct tuf_target *t;
    char path[4096];
    OWN_TEXT struct text name = TEXT_EMPTY;
    OWN(tuf_client) struct tuf_client *c = NULL;
    if (!open_client(s, &c, e)) return false;
    int64_t now_ms = clock_wall_ms();
    if (!tuf_client_refresh(c, now_ms, e) || !tuf_client_target(c, s->target_name, now_ms, &t, e))
        return report_attack(c, e);
    encode_url(&name, t->path);
    return file_make_directory(s->target_directory, 0755, e) &&
           file_join(path, sizeof path, s->target_directory, text_value(&name), e) &&
           (is_here(path, t) || get_target(s, c, t, path, e));
}

static bool given(const char *value, const char *flag, struct err *e) {
    return value[0] != '\0' || err_set(e, ERR_USAGE, "--%s is missing", flag);
}

static bool run(struct settings *s, int count, char **words, struct err *e) {
    const char *command = count > 0 ? words[0] : "";
    if (!given(s->metadata_directory, "metadata-dir", e)) return false;
    if (s->ca_file[0] != '\0' && !file_read(s->ca_file, CA_MAX_BYTES, &s->ca_pem, e)) return false;
    if (strcmp(command, "init") == 0 && count == 2) return init(s, words[1], e);
    if (strcmp(command, "refresh") == 0 && count == 1)
        return given(s->metadata_url, "metadata-url", e) && refresh(s, e);
    if (strcmp(command, "download") == 0 && count == 1)
        return given(s->metadata_url, "metadata-url", e) &&
               given(s->target_name, "target-name", e) &&
               given(s->target_directory, "target-dir", e) &&
               given(s->target_url, "target-base-url", e) && download(s, e);
    return err_set(e, ERR_USAGE, "the command is one of: init ROOT, refresh, download");
}

int main(int argc, char **argv) {
    struct err e;
    struct settings s = {0};
    int rest = 0;
    sign_setup();
    http_client_setup();
    bool good =
        options_parse(&options, argc, argv, &s, &rest, &e) && run(&s, argc - rest, argv + rest, &e);
    text_fini(&s.ca_pem);
    if (!good) err_report("tuf-client", &e);
    return good ? 0 : 1;
}
