#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/http_server_internal.h"
#include "lib/json.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A hash of the body names it in an ETag; 128 bits of it do. */
#define ETAG_BYTES 16

static const struct {
    int status;
    const char *words;
} phrases[] = {
    {101, "Switching Protocols"            },
    {200, "OK"                             },
    {201, "Created"                        },
    {202, "Accepted"                       },
    {204, "No Content"                     },
    {206, "Partial Content"                },
    {304, "Not Modified"                   },
    {400, "Bad Request"                    },
    {401, "Unauthorized"                   },
    {403, "Forbidden"                      },
    {404, "Not Found"                      },
    {405, "Method Not Allowed"             },
    {408, "Request Timeout"                },
    {409, "Conflict"                       },
    {412, "Precondition Failed"            },
    {413, "Content Too Large"              },
    {414, "URI Too Long"                   },
    {415, "Unsupported Media Type"         },
    {416, "Range Not Satisfiable"          },
    {417, "Expectation Failed"             },
    {422, "Unprocessable Content"          },
    {426, "Upgrade Required"               },
    {429, "Too Many Requests"              },
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"          },
    {502, "Bad Gateway"                    },
    {503, "Service Unavailable"            },
    {504, "Gateway Timeout"                },
    {505, "HTTP Version Not Supported"     },
    {507, "Insufficient Storage"           },
};

const char *http_status_phrase(int status) {
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status) return phrases[i].words;
    return "Unnamed";
}

bool http_is_head(const struct http_request *r) {
    return strcmp(http_method(r), "HEAD") == 0;
}

void http_reply_header(struct http_request *r, const char *name, const char *value) {
    assert(http_is_token(name));
    text_add_format(&r->headers, "%s: ", name);
    size_t begin = r->headers.length;
    text_add_format(&r->headers, "%s\r\n", value);
    char *end = r->headers.data + r->headers.length - 2;
    /* A value from outside must not begin a line of its own. */
    for (char *at = r->headers.data + begin; at < end; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = ' ';
}

bool http_has_reply_header(const struct http_request *r, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text_value(&r->headers); *line != '\0';) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') return true;
        line = strchr(line, '\n') + 1; /* http_reply_header ends each line with one */
    }
    return false;
}

static const char *http_date(void) {
    static _Thread_local time_t made_at;
    static _Thread_local char words[32];
    time_t now = time(NULL);
    if (now == made_at) return words;
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(words, sizeof words, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made_at = now;
    return words;
}

static bool can_keep(struct http_request *r) {
    return !r->close && !r->gone && !atomic_load(&r->server->draining) &&
           r->worker->requests < HTTP_REQUESTS_PER_CONNECTION && !http_is_crowded(r->server) &&
           http_body_skip(r) && civetweb_keeps_alive(r->connection);
}

void http_reply_head(struct http_request *r, int status, struct text *out) {
    assert(r->status == 0);
    assert(status >= 101 && status <= 599);
    r->status = status;
    r->keep = status != 101 && can_keep(r);
    civetweb_forget_request(r->connection); /* it may be answered for hours */
    text_add_format(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_status_phrase(status),
                    http_date());
    if (status != 101) {
        bool old = r->info->http_version != NULL && strcmp(r->info->http_version, "1.0") == 0;
        if (!r->keep)
            text_add(out, "Connection: close\r\n");
        else if (old)
            text_add(out, "Connection: keep-alive\r\n");
    }
    text_add_format(out, "X-Content-Type-Options: nosniff\r\nX-Request-Id: %s\r\n", r->id);
    /* Answers of an API are for this moment and this caller, unless the handler says more. */
    if (!http_has_reply_header(r, "Cache-Control")) text_add(out, "Cache-Control: no-store\r\n");
    text_add(out, text_value(&r->headers));
}

/* A page runs and loads nothing but what this server itself serves, is in nobody's frame, and tells
 * no other site where it was. */
static const char page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n"
    "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";

static bool is_page(const char *content_type) {
    static const char html[] = "text/html";
    return content_type != NULL && strncmp(content_type, html, sizeof html - 1) == 0;
}

static void reply(struct http_request *r, int status, const char *content_type, const char *bytes,
                  size_t length) {
    OWN_TEXT struct text head = TEXT_SECRET; /* there may be a cookie in it */
    http_reply_head(r, status, &head);
    if (is_page(content_type)) text_add(&head, page_headers);
    if (content_type != NULL) text_add_format(&head, "Content-Type: %s\r\n", content_type);
    if (status != 204 && status != 304) text_add_format(&head, "Content-Length: %zu\r\n", length);
    text_add(&head, "\r\n");
    struct iovec parts[] = {
        {head.data,                head.length},
        {(void *)(uintptr_t)bytes, length     },
    };
    if (!http_send(r, parts, length > 0 && !http_is_head(r) ? 2 : 1, false)) r->keep = false;
}

void http_reply_text(struct http_request *r, int status, const char *content_type,
                     const char *words, size_t length) {
    reply(r, status, content_type, words, length);
}

void http_reply_json(struct http_request *r, int status, const char *json, size_t length) {
    reply(r, status, "application/json", json, length);
}

void http_reply_empty(struct http_request *r, int status) {
    reply(r, status, NULL, NULL, 0);
}

void http_reply_json_etag(struct http_request *r, const char *json, size_t length) {
    unsigned char digest[SHA256_SIZE];
    char etag[2 * ETAG_BYTES + 1];
    char quoted[sizeof etag + 2];
    sha256_bytes(json, length, digest);
    encode_hex(digest, ETAG_BYTES, etag);
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    http_reply_header(r, "ETag", quoted);
    if (!http_has_reply_header(r, "Cache-Control"))
        http_reply_header(r, "Cache-Control", "no-cache");
    const char *known = http_header(r, "If-None-Match");
    if (known != NULL && http_etag_listed(known, etag, true))
        http_reply_empty(r, 304);
    else
        http_reply_json(r, 200, json, length);
}

static void add_member(struct text *out, const char *name, const char *value) {
    if (value[0] == '\0') return;
    text_add_format(out, ",\"%s\":", name);
    json_quote(value, out);
}

static void reply_problem(struct http_request *r, int status, const char *code, const char *title,
                          const char *detail, const char *hint) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    text_add_format(&body, "{\"type\":\"urn:grid:error:%s\",\"title\":", code);
    json_quote(title, &body);
    text_add_format(&body, ",\"status\":%d", status);
    add_member(&body, "detail", detail);
    add_member(&body, "code", code);
    add_member(&body, "hint", hint);
    add_member(&body, "request_id", r->id);
    text_add(&body, "}\n");
    if ((status == 429 || status == 503) && !http_has_reply_header(r, "Retry-After"))
        http_reply_header(r, "Retry-After", status == 429 ? "1" : "5");
    if (status == 401) http_reply_header(r, "WWW-Authenticate", "Bearer");
    reply(r, status, "application/problem+json", body.data, body.length);
}

void http_reply_err(struct http_request *r, const struct err *e) {
    int status = err_http_status(e->code);
    if (e->code == ERR_TIMEOUT && r->body.failed) status = 408; /* it was the client who was late */
    if (e->code == ERR_NONE) status = 500;
    if (status >= 500)
        log_error("http.failed", "request_id=%s method=%s route=%s status=%d code=%s text=%s",
                  r->id, http_method(r), r->route != NULL ? r->route->pattern : "none", status,
                  err_code_name(e->code), e->text);
    reply_problem(r, status, err_code_name(e->code), err_code_title(e->code), e->text, e->hint);
}

void http_refuse(struct http_request *r, int status, const char *detail) {
    enum err_code code = ERR_INVALID;
    if (status == 408) code = ERR_TIMEOUT;
    if (status == 414 || status == 431) code = ERR_TOO_LARGE;
    if (status == 500) code = ERR_INTERNAL;
    r->close = true;
    reply_problem(r, status, err_code_name(code), http_status_phrase(status), detail, "");
}
