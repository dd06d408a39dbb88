/* What is said to a client before its first request is read, if it comes to one. */
#include "lib/http_server_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Answers without waiting for the request, which might never come, and ends the connection. */
static void say_and_end(int socket, const char *words, size_t length) {
    char nothing[4096]; /* what is truncated is not copied */
    while (recv(socket, nothing, sizeof nothing, MSG_DONTWAIT | MSG_TRUNC) > 0) {
    }
    ssize_t sent = send(socket, words, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* it is refused either way */
    shutdown(socket, SHUT_RDWR);
}

static void refuse_plainly(int socket, const char *status, const char *headers, const char *body) {
    char words[1024];
    int length = snprintf(words, sizeof words,
                          "HTTP/1.1 %s\r\nConnection: close\r\n%s"
                          "X-Content-Type-Options: nosniff\r\n"
                          "Content-Type: application/problem+json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          status, headers, strlen(body), body);
    assert(length > 0 && (size_t)length < sizeof words);
    say_and_end(socket, words, (size_t)length);
}

/* TLS has no words for it; its alert 49 is "access denied". */
void http_refuse_crowd(const struct http_server *s, int socket) {
    static const char alert[] = {21, 3, 3, 0, 2, 2, 49};
    if (s->tls != NULL)
        say_and_end(socket, alert, sizeof alert);
    else
        refuse_plainly(
            socket, "429 Too Many Requests", "Retry-After: 1\r\n",
            "{\"type\":\"urn:grid:error:rate_limited\",\"title\":\"Too many "
            "requests\",\"status\":429,"
            "\"detail\":\"too many connections from this address\",\"code\":\"rate_limited\"}\n");
}

static void refuse_plain_http(int socket) {
    refuse_plainly(
        socket, "400 Bad Request", "",
        "{\"type\":\"urn:grid:error:invalid\",\"title\":\"Invalid input\",\"status\":400,"
        "\"detail\":\"plain HTTP was spoken to a port that speaks HTTPS\",\"code\":\"invalid\","
        "\"hint\":\"use https:// for this address\"}\n");
}

/* What fails ends the connection by shutdown(2), which CivetWeb takes for the client's own end. */
void http_begin_tls(struct http_worker *worker, struct mg_connection *connection) {
    struct http_server *s = worker->server;
    SSL *tls = NULL;
    int64_t deadline_ms = worker->waiting_since_ms + s->options.header_timeout_ms;
    switch (http_tls_accept(s->tls, worker->socket, deadline_ms, &tls)) {
    case HTTP_TLS_PLAIN:
        refuse_plain_http(worker->socket);
        break;
    case HTTP_TLS_FAILED:
        shutdown(worker->socket, SHUT_RDWR);
        break;
    case HTTP_TLS_AGREED:
        civetweb_set_tls(connection, tls);
        if (!civetweb_read_head(connection, deadline_ms)) shutdown(worker->socket, SHUT_RD);
        break;
    }
}
