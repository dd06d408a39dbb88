#include "lib/clock.h"
#include "lib/http_server_internal.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static bool sane_id(const char *id) {
    size_t length = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return length > 0 && length < HTTP_REQUEST_ID_SIZE && id[length] == '\0';
}

static void set_busy(struct http_worker *worker, bool busy) {
    struct http_server *s = worker->server;
    pthread_mutex_lock(&s->lock);
    assert(worker->busy != busy && (busy || s->busy_count > 0));
    worker->busy = busy;
    worker->pace = (struct http_pace){0};
    if (!busy) worker->waiting_since_ms = clock_monotonic_ms();
    if (busy)
        s->busy_count++;
    else if (--s->busy_count == 0)
        pthread_cond_broadcast(&s->quiet);
    if (!busy) http_make_room(s, NULL); /* it told its client to stay before the others came */
    pthread_mutex_unlock(&s->lock);
}

void http_request_begin(struct http_request *r, struct mg_connection *connection,
                        const struct mg_request_info *info) {
    struct http_worker *worker = mg_get_thread_pointer(connection);
    *r = (struct http_request){
        .server = worker->server,
        .worker = worker,
        .connection = connection,
        .info = info,
        .wire = {.socket = civetweb_socket(connection), .tls = civetweb_tls(connection)},
        .started_us = now_us(),
        .query = TEXT_SECRET,
        .headers = TEXT_SECRET,
        .principal = "anonymous"
    };
    set_busy(worker, true);
    const char *id = http_header(r, "X-Request-Id");
    if (id != NULL && sane_id(id) && text_copy(r->id, sizeof r->id, id)) return;
    uint64_t number = atomic_fetch_add(&r->server->request_number, 1);
    snprintf(r->id, sizeof r->id, "%s-%" PRIx64, r->server->request_prefix, number);
}

static void request_fini(struct http_request *r) {
    text_fini(&r->path);
    text_fini(&r->query);
    text_fini(&r->parameters);
    text_fini(&r->headers);
    text_fini(&r->scope);
    free(r->pairs);
    http_wire_fini(&r->wire);
}

static bool decode_target(struct http_request *r, struct err *e) {
    if (!http_path_decode(r->info->local_uri_raw, &r->path, e)) return false;
    if (r->info->query_string == NULL) return true;
    r->pairs = memory_zeroed(HTTP_QUERY_PAIRS, sizeof *r->pairs);
    text_add(&r->query, r->info->query_string);
    return http_query_decode(r->query.data, r->pairs, &r->pair_count, e);
}

static int match(const struct http_request *r, const char *method, char *allowed, size_t size) {
    const struct http_server_options *o = &r->server->options;
    return http_route_match(o->routes, o->route_count, method, r->info->local_uri_raw, allowed,
                            size);
}

/* No row takes this method on this path: says what is wrong. */
static void refuse_unrouted(struct http_request *r, const char *allowed) {
    struct err e;
    if (allowed[0] == '\0') {
        err_set(&e, ERR_NOT_FOUND, "%.160s: there is nothing here", http_path(r));
        http_reply_err(r, &e);
        return;
    }
    if (strcmp(http_method(r), "GET") == 0 && match(r, "WS", NULL, 0) >= 0) {
        http_reply_header(r, "Upgrade", "websocket");
        http_refuse(r, 426, "this address speaks WebSocket only");
        return;
    }
    http_reply_header(r, "Allow", allowed);
    err_set(&e, ERR_METHOD, "%.160s does not take %s", http_path(r), http_method(r));
    err_hint(&e, "it takes %s", allowed);
    http_reply_err(r, &e);
}

bool http_require_certificate(const struct http_request *r, struct err *e) {
    if (!r->server->options.client_certificates || http_wire_knows_client(&r->wire)) return true;
    err_set(e, ERR_DENIED, "this server wants to see a client certificate");
    return err_hint(
        e, "show one that its client CA signed: gridctl --cert FILE, curl --cert FILE --key FILE");
}

static bool check_role(struct http_request *r, struct err *e) {
    const struct http_server_options *o = &r->server->options;
    if (r->route->role != HTTP_PUBLIC && !http_require_certificate(r, e)) return false;
    if (o->authorize != NULL) return o->authorize(r, r->route->role, e);
    if (r->route->role == HTTP_PUBLIC) return true;
    return err_set(e, ERR_DENIED, "this program knows no tokens, so nobody is a %s here",
                   http_role_name(r->route->role));
}

static bool check_body_size(const struct http_request *r, struct err *e) {
    int64_t most = r->route->body_max_bytes;
    if (r->body.kind == HTTP_BODY_NONE) return true;
    if (most == 0)
        return err_set(e, ERR_TOO_LARGE, "%s %.160s takes no body", http_method(r), http_path(r));
    if (r->body.length <= most) return true;
    return err_set(e, ERR_TOO_LARGE,
                   "a body of %" PRId64 " bytes is more than the %" PRId64 " that are taken",
                   r->body.length, most);
}

static void dispatch(struct http_request *r) {
    char allowed[96];
    struct err e = {0};
    int index = http_wants_socket(r) ? match(r, "WS", NULL, 0) : -1;
    if (index < 0) index = match(r, http_method(r), allowed, sizeof allowed);
    if (index < 0) {
        refuse_unrouted(r, allowed);
        return;
    }
    assert((size_t)index < r->server->options.route_count);
    r->route = &r->server->options.routes[index];
    http_route_parameters(r->route->pattern, r->info->local_uri_raw, &r->parameters);
    if (!check_role(r, &e) || !check_body_size(r, &e))
        http_reply_err(r, &e);
    else if (r->route->socket != NULL)
        http_socket_serve(r);
    else
        r->route->handler(r);
}

void http_request_serve(struct http_request *r) {
    struct err e = {0};
    const char *reason = NULL;
    int status = http_head_check(r, &reason);
    if (status != 0)
        http_refuse(r, status, reason);
    else if (!decode_target(r, &e))
        http_reply_err(r, &e);
    else
        dispatch(r);
    assert(r->status != 0); /* a handler that did not answer */
}

void http_request_end(struct http_request *r) {
    assert(r->status != 0);
    double seconds = (double)(now_us() - r->started_us) / 1e6;
    if (r->stream != HTTP_STREAM_NONE) r->keep = false; /* the client must see that it is cut */
    if (r->gone) http_drop_unsent(r);
    if (!r->keep) {
        mg_disable_connection_keep_alive(r->connection);
        if (!r->body.ended && !r->gone && r->status != 408) http_linger(r);
    }
    const struct http_server_options *o = &r->server->options;
    const char *route = r->route != NULL ? r->route->pattern : "none";
    log_debug("http.request", "id=%s method=%s route=%s status=%d address=%s sent_bytes=%" PRId64,
              r->id, http_method(r), route, r->status, http_address(r), r->sent_bytes);
    if (o->finished != NULL)
        o->finished(o->context, http_method(r), route, r->status, seconds, r->sent_bytes);
    r->worker->requests++;
    set_busy(r->worker, false);
    request_fini(r);
}
