#include "lib/http_range.h"
#include "lib/http_server_internal.h"
#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int open_regular(const char *path, int64_t *size) {
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        if (errno != ENOENT)
            log_warn("http.file_unreadable", "path=%s reason=%s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(status.st_mode)) return -1;
    *size = status.st_size;
    return TAKE_FD(fd);
}

static void add_etag(struct http_request *r, const struct http_file *file) {
    OWN_TEXT struct text quoted = TEXT_EMPTY;
    text_add_format(&quoted, "\"%s\"", file->etag);
    http_reply_header(r, "ETag", quoted.data);
    if (file->cache_control != NULL) http_reply_header(r, "Cache-Control", file->cache_control);
}

static void add_disposition(struct http_request *r, const char *name) {
    OWN_TEXT struct text value = TEXT_EMPTY;
    text_add(&value, "attachment; filename=\"");
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\') text_add(&value, "\\");
        text_add_bytes(&value, name, 1);
    }
    text_add(&value, "\"");
    http_reply_header(r, "Content-Disposition", value.data);
}

/* If-Match and If-None-Match in the order of RFC 9110 section 13.2.2. 0: send the file. */
static int check_conditions(const struct http_request *r, const char *etag) {
    const char *match = http_header(r, "If-Match");
    const char *none_match = http_header(r, "If-None-Match");
    if (match != NULL && !http_etag_listed(match, etag, false)) return 412;
    if (none_match != NULL && http_etag_listed(none_match, etag, true)) return 304;
    return 0;
}

/* If-Range takes one strong ETag; anything else, a date too, means the whole file. */
static bool range_counts(const struct http_request *r, const char *etag) {
    if (strcmp(http_method(r), "GET") != 0) return false;
    const char *if_range = http_header(r, "If-Range");
    if (if_range == NULL) return true;
    return if_range[0] == '"' && strchr(if_range, ',') == NULL &&
           http_etag_listed(if_range, etag, false);
}

static void reply_unsatisfiable(struct http_request *r, int64_t size) {
    struct err e;
    OWN_TEXT struct text range = TEXT_EMPTY;
    assert(size >= 0);
    text_add_format(&range, "bytes */%" PRId64, size);
    http_reply_header(r, "Content-Range", range.data);
    err_set(&e, ERR_RANGE, "%s is beyond the %" PRId64 " bytes there are", http_header(r, "Range"),
            size);
    http_reply_err(r, &e);
}

static void send_part(struct http_request *r, const struct http_file *file, int status, int fd,
                      int64_t first, int64_t length, int64_t size) {
    assert(first >= 0 && length >= 0 && first + length <= size);
    OWN_TEXT struct text head = TEXT_EMPTY;
    if (file->repr_digest != NULL) http_reply_header(r, "Repr-Digest", file->repr_digest);
    if (file->download_name != NULL) add_disposition(r, file->download_name);
    http_reply_head(r, status, &head);
    text_add_format(&head, "Content-Type: %s\r\nAccept-Ranges: bytes\r\n", file->content_type);
    if (status == 206)
        text_add_format(&head, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
                        first, first + length - 1, size);
    text_add_format(&head, "Content-Length: %" PRId64 "\r\n\r\n", length);
    bool body = length > 0 && !http_is_head(r);
    struct iovec part = {head.data, head.length};
    if (!http_send(r, &part, 1, body))
        r->keep = false;
    else if (body && !http_send_file(r, fd, first, length))
        r->keep = false;
}

void http_reply_file(struct http_request *r, const struct http_file *file) {
    int64_t size = 0;
    OWN_FD int fd = open_regular(file->path, &size);
    if (fd < 0) {
        struct err e;
        err_set(&e, ERR_NOT_FOUND, "%s: there is no such file", http_path(r));
        http_reply_err(r, &e);
        return;
    }
    int condition = check_conditions(r, file->etag);
    if (condition == 412) {
        struct err e;
        err_set(&e, ERR_PRECONDITION, "the file is \"%s\", which If-Match does not list",
                file->etag);
        http_reply_err(r, &e);
        return;
    }
    add_etag(r, file);
    if (condition == 304) {
        http_reply_empty(r, 304);
        return;
    }
    int64_t first = 0;
    int64_t last = size - 1;
    int status = 200;
    if (range_counts(r, file->etag))
        status = http_range_parse(http_header(r, "Range"), size, &first, &last);
    if (status == 416)
        reply_unsatisfiable(r, size);
    else
        send_part(r, file, status, fd, first, last - first + 1, size);
}
