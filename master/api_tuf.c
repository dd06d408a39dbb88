#include "master/api_tuf.h"

#include "master/api_binaries_internal.h"
#include "master/master.h"

#include <ctype.h>
#include <string.h>

#define CACHE_NUMBERED "public, max-age=31536000, immutable"
#define SEND_BYTES (256 * 1024) /* at a time */

static const char *const nothing[] = {NULL};

static void send_bytes(struct http_request *r, const char *content_type,
                       const struct repo_bytes *b) {
    bool sent = http_stream_begin(r, 200, content_type, (int64_t)b->length);
    for (size_t at = 0; sent && at < b->length; at += SEND_BYTES)
        sent = http_stream_write(r, b->data + at,
                                 b->length - at < SEND_BYTES ? b->length - at : SEND_BYTES);
    http_stream_end(r);
}

void api_tuf_metadata(struct http_request *r) {
    const char *file = http_param(r, "file");
    OWN(repo_bytes) const struct repo_bytes *bytes = NULL;
    struct err e;
    if (!http_query_only(r, nothing, &e) || !repo_file(master_of(r)->repo, file, &bytes, &e)) {
        http_reply_err(r, &e);
        return;
    }
    bool json = strcmp(file + strlen(file) - strlen(".json"), ".json") == 0;
    bool numbered = isdigit((unsigned char)file[0]) != 0;
    http_reply_header(r, "Cache-Control", numbered ? CACHE_NUMBERED : "no-cache");
    send_bytes(r, json ? "application/json" : "text/plain; charset=utf-8", bytes);
}

static bool refuse_name(const char *name, struct err *e) {
    err_set(e, ERR_NOT_FOUND, "%.100s: no such target", name);
    return err_hint(e, "targets are named SHA256.FILE, as the targets metadata say");
}

static bool find(struct http_request *r, struct binary *out, struct err *e) {
    const char *name = http_param(r, "file");
    char sha256[SHA256_HEX_SIZE];
    struct artifact_name id;
    struct err ignored;
    bool named = strlen(name) > SHA256_HEX_SIZE && name[SHA256_HEX_SIZE - 1] == '.' &&
                 artifact_name_parse(name + SHA256_HEX_SIZE, &id, &ignored);
    if (!master_may_download(r, named ? id.name : "", "", e) || !http_query_only(r, nothing, e))
        return false;
    if (!named) return refuse_name(name, e);
    memcpy(sha256, name, SHA256_HEX_SIZE - 1);
    sha256[SHA256_HEX_SIZE - 1] = '\0';
    if (!catalog_find(master_of(r)->catalog, &id, out, e) ||
        !master_may_download(r, id.name, out->sha256, e))
        return false;
    return strcmp(out->sha256, sha256) == 0 || refuse_name(name, e);
}

void api_tuf_targets(struct http_request *r) {
    struct binary found;
    struct err e;
    if (find(r, &found, &e))
        api_binaries_reply_content(r, &found);
    else
        http_reply_err(r, &e);
}
