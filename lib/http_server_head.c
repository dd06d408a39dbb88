#include "lib/http_server_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define BAD_REQUEST 400
#define EXPECTATION_FAILED 417
#define FIELDS_TOO_LARGE 431

struct verdict {
    int status;
    const char *reason;
};

static const struct verdict fine = {0, NULL};

static struct verdict bad(const char *reason) {
    return (struct verdict){BAD_REQUEST, reason};
}

/* CivetWeb ends each part with NULs where it found the delimiters, so where the next part begins
 * tells what they were: one byte for a space or a lone LF, two for CRLF. */
static struct verdict check_request_line(const struct mg_request_info *info, const char *head,
                                         const char **next) {
    size_t uri_length = strlen(info->request_uri);
    if (info->query_string != NULL) uri_length += 1 + strlen(info->query_string);
    const char *version = info->http_version - strlen("HTTP/");
    if (info->request_method != head || info->request_uri != head + strlen(head) + 1 ||
        version != info->request_uri + uri_length + 1)
        return bad("the request line is not METHOD SP TARGET SP VERSION");
    *next = version + strlen(version) + 2;
    return fine;
}

static bool has_space_before_colon(const struct mg_header *header) {
    for (const char *at = header->name + strlen(header->name) + 1; at < header->value; at++)
        if (*at == '\0') return true;
    return false;
}

static struct verdict check_header_lines(const struct mg_request_info *info, const char *next,
                                         const char *end) {
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *header = &info->http_headers[i];
        if (header->name != next) return bad("a line of the head does not end with CR LF");
        if (!http_is_token(header->name)) return bad("the name of a header is no token");
        if (has_space_before_colon(header)) return bad("there is a space before a header's colon");
        next = header->value + strlen(header->value) + 2;
    }
    if (next + 2 == end && next[0] == '\r') return fine;
    if (info->num_headers == MG_MAX_HEADERS)
        return (struct verdict){FIELDS_TOO_LARGE, "more than 64 headers"};
    if (next < end && next[0] == ' ') return bad("a header is folded over two lines");
    return bad("the head holds something that is neither a header nor its end");
}

/* CivetWeb's buffer is ours to change; the delimiters that the checks above rely on are known. */
static void trim_values(const struct mg_request_info *info) {
    for (int i = 0; i < info->num_headers; i++) {
        char *value = (char *)(uintptr_t)info->http_headers[i].value;
        size_t length = strlen(value);
        while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
            value[--length] = '\0';
    }
}

/* Headers that mean two things when they come twice. */
static const char *const single_headers[] = {
    "Host",          "Content-Length", "Transfer-Encoding", "Authorization", "X-API-Key", "Range",
    "Content-Range", "Content-Type",   "If-Range",          "Expect",        "Origin"};

static bool is_single(const char *name) {
    for (size_t i = 0; i < sizeof single_headers / sizeof single_headers[0]; i++)
        if (strcasecmp(single_headers[i], name) == 0) return true;
    return false;
}

static struct verdict check_repeats(const struct mg_request_info *info) {
    for (int i = 0; i < info->num_headers; i++) {
        if (!is_single(info->http_headers[i].name)) continue;
        for (int k = 0; k < i; k++)
            if (strcasecmp(info->http_headers[k].name, info->http_headers[i].name) == 0)
                return bad("a header that may come once came twice");
    }
    return fine;
}

static struct verdict check_host(const struct http_request *r) {
    const char *host = http_header(r, "Host");
    if (host == NULL) {
        if (strcmp(r->info->http_version, "1.0") == 0) return fine;
        return bad("the Host header is missing");
    }
    for (; *host != '\0'; host++)
        if (!isalnum((unsigned char)*host) && strchr(".-_:[]", *host) == NULL)
            return bad("the Host header is neither a name nor an address");
    return fine;
}

static struct verdict check_body(struct http_request *r) {
    const char *coding = http_header(r, "Transfer-Encoding");
    const char *length = http_header(r, "Content-Length");
    const char *expect = http_header(r, "Expect");
    struct http_body_state *body = &r->body;
    if (coding != NULL && length != NULL)
        return bad("Content-Length and Transfer-Encoding exclude each other");
    if (coding != NULL && strcasecmp(coding, "chunked") != 0)
        return bad("the only transfer coding taken is chunked");
    if (coding != NULL && strcmp(r->info->http_version, "1.0") == 0)
        return bad("HTTP/1.0 has no transfer codings");
    if (length != NULL && !http_length_parse(length, &body->length))
        return bad("Content-Length is not a number of at most 18 digits");
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return (struct verdict){EXPECTATION_FAILED, "the only expectation known is 100-continue"};
    if (coding != NULL) {
        body->kind = HTTP_BODY_CHUNKED;
        body->length = -1;
    } else if (body->length > 0) {
        body->kind = HTTP_BODY_LENGTH;
    }
    body->ended = body->kind == HTTP_BODY_NONE;
    body->expects_continue = expect != NULL && !body->ended;
    return fine;
}

int http_head_check(struct http_request *r, const char **reason) {
    size_t length = 0;
    const char *head = civetweb_head(r->connection, &length);
    const char *next = NULL;
    struct verdict v = check_request_line(r->info, head, &next);
    if (v.status == 0) v = check_header_lines(r->info, next, head + length);
    if (v.status == 0) {
        trim_values(r->info);
        v = check_repeats(r->info);
    }
    if (v.status == 0) v = check_host(r);
    if (v.status == 0) v = check_body(r);
    *reason = v.reason;
    return v.status;
}
