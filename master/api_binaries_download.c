#include "lib/encode.h"
#include "master/api_binaries.h"
#include "master/api_binaries_internal.h"
#include "master/master.h"

#include <stdio.h>
#include <string.h>

/* Names are forever, but a deleted binary must not live on in caches of proxies for years: what is
 * immutable is the file, and a cache may keep it for as long as HTTP can say. */
#define CACHE_CONTROL "public, max-age=31536000, immutable"
#define CACHE_CONTROL_CLOSED "private, max-age=31536000, immutable"
#define DIGEST_SIZE (sizeof "sha-256=::" + ENCODE_BASE64_SIZE(SHA256_SIZE))

enum part { PART_CONTENT, PART_SIGNATURE, PART_CHECKSUM };

/* Cuts the suffix off that asks for something about the file. */
static enum part cut_suffix(char *file_name) {
    static const struct {
        const char *suffix;
        enum part part;
    } suffixes[] = {
        {".minisig", PART_SIGNATURE},
        {".sha256",  PART_CHECKSUM },
    };
    size_t length = strlen(file_name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t tail = strlen(suffixes[i].suffix);
        if (length <= tail || strcmp(file_name + length - tail, suffixes[i].suffix) != 0) continue;
        file_name[length - tail] = '\0';
        return suffixes[i].part;
    }
    return PART_CONTENT;
}

static bool find(struct http_request *r, struct binary *out, enum part *part, struct err *e) {
    static const char *const nothing[] = {NULL};
    char file_name[ARTIFACT_FILE_SIZE + sizeof ".minisig"];
    struct artifact_name id;
    struct err ignored;
    bool fits = text_copy(file_name, sizeof file_name, http_param(r, "file"));
    *part = cut_suffix(file_name);
    bool named = fits && artifact_name_parse(file_name, &id, &ignored);
    if (!master_may_download(r, named ? id.name : "", "", e) || !http_query_only(r, nothing, e))
        return false;
    if (!named) {
        err_set(e, ERR_NOT_FOUND, "%.64s: no such file", http_param(r, "file"));
        return err_hint(e, "GET /api/binaries lists the files under \"path\"");
    }
    return catalog_find(master_of(r)->catalog, &id, out, e) &&
           master_may_download(r, id.name, out->sha256, e);
}

void api_binaries_reply_content(struct http_request *r, const struct binary *b) {
    char path[PATH_MAX], file_name[ARTIFACT_FILE_SIZE];
    char base64[ENCODE_BASE64_SIZE(SHA256_SIZE)], digest[DIGEST_SIZE];
    unsigned char bytes[SHA256_SIZE];
    bool closed = !master_of(r)->settings->public_downloads;
    catalog_object_path(master_of(r)->catalog, b->sha256, path);
    if (!decode_hex(b->sha256, bytes, sizeof bytes)) memset(bytes, 0, sizeof bytes);
    snprintf(digest, sizeof digest, "sha-256=:%s:", encode_base64(bytes, sizeof bytes, base64));
    const struct http_file file = {.path = path,
                                   .content_type = "application/octet-stream",
                                   .etag = b->sha256,
                                   .cache_control = closed ? CACHE_CONTROL_CLOSED : CACHE_CONTROL,
                                   .repr_digest = digest,
                                   .download_name = artifact_file_name(&b->id, file_name)};
    http_reply_file(r, &file);
}

static void reply_checksum(struct http_request *r, const struct binary *b) {
    char file_name[ARTIFACT_FILE_SIZE];
    OWN_TEXT struct text line = TEXT_EMPTY;
    text_add_format(&line, "%s  %s\n", b->sha256, artifact_file_name(&b->id, file_name));
    http_reply_text(r, 200, "text/plain; charset=utf-8", line.data, line.length);
}

/* By the release key, or once that is wiped by the publisher. */
static void reply_signature(struct http_request *r, const struct binary *b) {
    const char *signature = b->signature[0] != '\0' ? b->signature : b->publisher_signature;
    struct err e;
    if (signature[0] == '\0') {
        err_set(&e, ERR_NOT_FOUND,
                "%s has no signature of a publisher, and the release key is gone",
                http_param(r, "file"));
        err_hint(&e, "/tuf/metadata holds what proves it");
        http_reply_err(r, &e);
        return;
    }
    http_reply_text(r, 200, "text/plain; charset=utf-8", signature, strlen(signature));
}

void api_binaries_download(struct http_request *r) {
    enum part part;
    struct binary found = {0};
    struct err e;
    if (!find(r, &found, &part, &e))
        http_reply_err(r, &e);
    else if (part == PART_SIGNATURE)
        reply_signature(r, &found);
    else if (part == PART_CHECKSUM)
        reply_checksum(r, &found);
    else
        api_binaries_reply_content(r, &found);
}
