/* CivetWeb itself, compiled into this file because its API hides the socket and the bytes read
 * behind a request's head. Without them there is no sendfile under our own headers, no deadline on
 * a body, no refusal of what its parser lets pass. A release that renames a field fails to compile
 * here, and nowhere else. */
#ifndef __clang_analyzer__

/* Its parser runs over any white space behind a word of the request line, so that a lone CR or LF,
 * or a folded first header, would look like CRLF. Only LF may follow here; what else comes is then
 * where it should not be, and head_check sees it. */
#include <ctype.h>
#undef isspace
#define isspace(character) ((character) == '\n')

#define USE_IPV6
#define USE_WEBSOCKET /* to know upgrades from requests; the frames are ours */
#define OPENSSL_API_3_0
#define NO_SSL_DL
#define NO_CGI
#define NO_FILES
#define NO_CACHING
#define STOP_FLAG_NEEDS_LOCK /* atomic, but for one read by the thread that stops, see below */

/* One thread per connection: only what a stack really uses costs memory, and room for SQLite and
 * sanitizers is needed. AddressSanitizer gives the shadow of a stack back to the kernel when a
 * thread begins and ends, but writes all of it, 64 KiB, where the stack is smaller than this. */
#define USE_STACK_SIZE (1024 * 1024)

/* It serves no files and writes no pages, but reserves room for their names and words in a frame
 * below each of our handlers, and hardened builds touch every page of a frame. */
#include <limits.h>
#undef PATH_MAX
#define PATH_MAX 256
#define MG_BUF_LEN 1024

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
typedef ptrdiff_t volatile stop_flag_t;
__attribute__((no_sanitize_thread)) static void STOP_FLAG_ASSIGN(stop_flag_t *flag,
                                                                 stop_flag_t value);

/* CivetWeb would start every worker at once, and a thread that never serves anybody costs 16 kB.
 * What is held back here has no thread id, so that mg_stop does not wait for it. */
#include <pthread.h>
static void *worker_thread(void *argument);
static _Thread_local size_t workers_at_once;

static int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                         void *argument) {
    bool is_worker = run == worker_thread;
    if (is_worker && workers_at_once == 0) {
        *thread = 0;
        return 0;
    }
    if (is_worker) workers_at_once--;
    return pthread_create(thread, attributes, run, argument);
}
#define pthread_create create_thread

/* A worker without memory for its buffer would end and be missed for good, as it counts as begun.
 * Like all else that gets no memory, it ends the program instead. */
#include "lib/text.h"
#include <stdlib.h>
#define malloc(size) memory_resize(NULL, size, 1)
#define calloc(count, size) memory_zeroed(count, size)
#define realloc(memory, size) memory_resize(memory, size, 1)

#include <../src/civetweb.c>

#include "lib/clock.h"
#include "lib/http_server_civetweb.h"

struct mg_context *civetweb_start(struct mg_init_data *init, struct mg_error_data *error,
                                  size_t workers) {
    workers_at_once = workers;
    return mg_start2(init, error);
}

/* mg_stop waits for the workers in their order, so that it sees the one that another started. */
bool civetweb_start_worker(const struct mg_connection *by, size_t index) {
    struct mg_context *context = by->phys_ctx;
    assert(index < context->cfg_worker_threads && context->worker_threadids[index] == 0);
    workers_at_once = 1;
    return mg_start_thread_with_id(worker_thread, &context->worker_connections[index],
                                   &context->worker_threadids[index]) == 0;
}

int civetweb_socket(const struct mg_connection *c) {
    return c->client.sock;
}

const char *civetweb_address(const struct mg_connection *c) {
    return c->request_info.remote_addr;
}

const char *civetweb_head(const struct mg_connection *c, size_t *length) {
    *length = c->request_len > 0 ? (size_t)c->request_len : 0;
    return c->buf;
}

bool civetweb_head_overflows(const struct mg_connection *c) {
    return c->data_len >= c->buf_size;
}

size_t civetweb_unread(const struct mg_connection *c, const char **bytes) {
    int taken = c->request_len + (int)c->consumed_content;
    *bytes = c->buf + taken;
    return (size_t)(c->data_len - taken);
}

void civetweb_take(struct mg_connection *c, size_t length) {
    c->consumed_content += (int64_t)length;
    assert(c->request_len + c->consumed_content <= c->data_len);
}

size_t civetweb_room(struct mg_connection *c, char **target) {
    explicit_bzero(c->buf + c->request_len, (size_t)(c->data_len - c->request_len));
    c->consumed_content = 0;
    c->data_len = c->request_len;
    *target = c->buf + c->data_len;
    return (size_t)(c->buf_size - c->data_len);
}

void civetweb_filled(struct mg_connection *c, size_t length) {
    assert(length <= (size_t)(c->buf_size - c->data_len)); /* civetweb_room said so */
    c->data_len += (int)length;
}

void civetweb_end_body(struct mg_connection *c) {
    c->is_chunked = 0;
    c->content_len = c->consumed_content;
}

/* How much of the buffer was in use: where a request lay that came early stays a copy of it, once
 * CivetWeb has moved it to the front. */
static _Thread_local int filled;

static void note_filled(const struct mg_connection *c) {
    if (c->data_len > filled) filled = c->data_len;
}

void civetweb_forget_request(struct mg_connection *c) {
    static const char *const secret[] = {"Authorization", "X-API-Key", "Cookie"};
    note_filled(c);
    for (int i = 0; i < c->request_info.num_headers; i++) {
        char *value = (char *)(uintptr_t)c->request_info.http_headers[i].value;
        for (size_t j = 0; j < sizeof secret / sizeof secret[0]; j++)
            if (mg_strcasecmp(c->request_info.http_headers[i].name, secret[j]) == 0)
                explicit_bzero(value, strlen(value));
    }
    if (c->request_len > 0) explicit_bzero(c->buf + c->request_len, (size_t)c->consumed_content);
}

void civetweb_forget(const struct mg_connection *c) {
    note_filled(c);
    explicit_bzero(c->buf, (size_t)filled);
    filled = 0;
}

bool civetweb_keeps_alive(const struct mg_connection *c) {
    return should_keep_alive(c) && c->protocol_type == PROTOCOL_TYPE_HTTP1;
}

void civetweb_set_tls(struct mg_connection *c, SSL *tls) {
    c->ssl = tls;
}

SSL *civetweb_tls(const struct mg_connection *c) {
    return c->ssl;
}

bool civetweb_read_head(struct mg_connection *c, int64_t deadline_ms) {
    while (c->data_len < c->buf_size && get_http_header_len(c->buf, c->data_len) == 0) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0) return false;
        int got = pull_inner(NULL, c, c->buf + c->data_len, c->buf_size - c->data_len,
                             (double)left_ms / 1000);
        if (got == -2) return true; /* the end, which is seen again */
        if (got > 0) c->data_len += got;
    }
    return true;
}

void civetweb_stop_listening(const struct mg_context *c) {
    for (unsigned i = 0; i < c->num_listening_sockets; i++)
        shutdown(c->listening_sockets[i].sock, SHUT_RDWR);
}

#endif
