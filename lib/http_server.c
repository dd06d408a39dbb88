#include "lib/clock.h"
#include "lib/condition.h"
#include "lib/http_server_internal.h"
#include "lib/log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define HEADER_TIMEOUT_MS 5000
#define KEEP_ALIVE_MS 5000
#define STOP_TIMEOUT_MS 10000
#define WORKERS_IDLE 16 /* that begin before they are needed */

static int begin_request(struct mg_connection *connection) {
    struct http_request r;
    http_request_begin(&r, connection, mg_get_request_info(connection));
    http_request_serve(&r);
    int status = r.status;
    http_request_end(&r);
    return status;
}

/* What CivetWeb's parser could not read never becomes a request: the status it would give, ours. */
static int unread_status(const struct http_request *r, int status, const char **detail) {
    const struct http_server_options *o = &r->server->options;
    int64_t waited_ms = clock_monotonic_ms() - r->worker->waiting_since_ms;
    int64_t limit_ms = r->worker->requests > 0 ? o->keep_alive_ms : o->header_timeout_ms;
    size_t length = 0;
    if (civetweb_head_overflows(r->connection)) {
        bool in_headers = memchr(civetweb_head(r->connection, &length), '\n', 8192) != NULL;
        *detail = "the head of the request is larger than 16 KiB";
        return in_headers ? 431 : 414;
    }
    if (status == 505) {
        *detail = "only HTTP/1.0 and HTTP/1.1 are spoken here";
        return 505;
    }
    if (status == 400 && waited_ms >= limit_ms) {
        *detail = "the head of the request did not arrive in time";
        return 408;
    }
    *detail =
        status >= 500 ? "the request could not be read" : "the head of the request is malformed";
    return status >= 500 ? 500 : 400;
}

static int http_error(struct mg_connection *connection, int status, const char *message) {
    static const struct mg_request_info nothing; /* what was parsed of it is not to be relied on */
    struct http_request r;
    const char *detail = NULL;
    (void)message;
    http_request_begin(&r, connection, &nothing);
    status = unread_status(&r, status, &detail);
    http_refuse(&r, status, detail);
    http_request_end(&r);
    return 0;
}

/* Clients can bring about some of CivetWeb's words as often as they like. */
static void log_while_serving(struct http_server *s, const char *message) {
    static const struct rate_limit limit = {.per_second = 0.1, .burst = 10};
    pthread_mutex_lock(&s->lock);
    bool may = rate_take(&s->words, limit, 1, clock_monotonic_ms(), NULL);
    unsigned unsaid = s->words_unsaid;
    s->words_unsaid = may ? 0 : unsaid + 1;
    pthread_mutex_unlock(&s->lock);
    if (may) log_warn("http.civetweb", "text=%s unsaid_before=%u", message, unsaid);
}

static int log_message(const struct mg_connection *connection, const char *message) {
    struct http_server *s = mg_get_user_context_data(connection);
    if (atomic_load(&s->started))
        log_while_serving(s, message);
    else
        snprintf(s->startup_trouble, sizeof s->startup_trouble, "%s", message);
    return 1;
}

static void *init_thread(const struct mg_context *context, int type) {
    struct http_server *s = mg_get_user_data(context);
    if (type != 1) return NULL;
    size_t index = atomic_fetch_add(&s->workers_started, 1);
    assert(index < s->worker_count);
    return &s->workers[index];
}

static void copy_address(char out[HTTP_ADDRESS_SIZE], const char *address) {
    static const char mapped[] = "::ffff:";
    if (strncmp(address, mapped, sizeof mapped - 1) == 0 && strchr(address, '.') != NULL)
        address += sizeof mapped - 1;
    snprintf(out, HTTP_ADDRESS_SIZE, "%s", address);
}

/* Notes the connection; how many there are from its address now. */
static int add_connection(struct http_worker *worker, int socket, const char *address) {
    struct http_server *s = worker->server;
    int count = 0;
    pthread_mutex_lock(&s->lock);
    worker->socket = socket;
    worker->waiting_since_ms = clock_monotonic_ms();
    copy_address(worker->address, address);
    s->connected_count++;
    http_make_room(s, worker);
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].socket >= 0 && strcmp(s->workers[i].address, worker->address) == 0)
            count++;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static bool needs_workers(const struct http_server *s) {
    assert(s->workers_begun <= s->worker_count);
    return s->workers_begun < s->worker_count &&
           s->workers_begun < s->connected_count + WORKERS_IDLE;
}

/* One thread does so at a time, whoever comes meanwhile leaves it to that one. */
static void grow(struct http_server *s, const struct mg_connection *connection) {
    pthread_mutex_lock(&s->lock);
    bool mine = !s->growing;
    while (mine && needs_workers(s)) {
        size_t index = s->workers_begun;
        s->growing = true;
        pthread_mutex_unlock(&s->lock);
        bool begun = civetweb_start_worker(connection, index);
        pthread_mutex_lock(&s->lock);
        s->lacks_workers = !begun;
        if (!begun) break; /* the next connection tries again */
        s->workers_begun++;
    }
    if (mine) s->growing = false;
    pthread_mutex_unlock(&s->lock);
}

static int init_connection(const struct mg_connection *connection, void **data) {
    struct http_worker *worker = mg_get_thread_pointer(connection);
    struct http_server *s = worker->server;
    int socket = civetweb_socket(connection);
    int most = s->options.max_connections_per_address;
    (void)data;
    worker->requests = 0;
    int count = add_connection(worker, socket, civetweb_address(connection));
    grow(s, connection);
    if (atomic_load(&s->stopping))
        shutdown(socket, SHUT_RDWR);
    else if (most > 0 && count > most)
        http_refuse_crowd(s, socket);
    else if (s->tls != NULL)
        http_begin_tls(worker, (struct mg_connection *)(uintptr_t)connection);
    return 0;
}

/* Before the socket is closed: from here on its number may be somebody else's. */
static void connection_close(const struct mg_connection *connection) {
    struct http_worker *worker = mg_get_thread_pointer(connection);
    struct http_server *s = worker->server;
    civetweb_forget(connection);
    pthread_mutex_lock(&s->lock);
    assert(s->connected_count > 0 || worker->socket < 0);
    assert(s->leaving_count > 0 || !worker->leaving);
    if (worker->socket >= 0) s->connected_count--;
    if (worker->leaving) s->leaving_count--;
    worker->leaving = false;
    worker->socket = -1;
    pthread_mutex_unlock(&s->lock);
}

static const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                              .http_error = http_error,
                                              .log_message = log_message,
                                              .init_thread = init_thread,
                                              .init_connection = init_connection,
                                              .connection_close = connection_close};

static const char *address_of(const struct http_server_options *o) {
    bool local =
        o->address == NULL || o->address[0] == '\0' || strcmp(o->address, "localhost") == 0;
    return local ? "127.0.0.1" : o->address;
}

static bool is_any_ipv6(const char *address) {
    struct in6_addr parsed;
    return inet_pton(AF_INET6, address, &parsed) == 1 && IN6_IS_ADDR_UNSPECIFIED(&parsed);
}

/* Binds once, for an error that names what is wrong. */
static bool check_listening(const struct http_server_options *o, struct err *e) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)o->port)};
    const char *address = address_of(o);
    bool is_ipv4 = inet_pton(AF_INET, address, &ipv4.sin_addr) == 1;
    if (!is_ipv4 && inet_pton(AF_INET6, address, &ipv6.sin6_addr) != 1) {
        err_set(e, ERR_INVALID, "%s: not an IP address", address);
        return err_hint(e, "127.0.0.1 listens on this machine only, 0.0.0.0 on every network");
    }
    if (o->port < 0 || o->port > 65535)
        return err_set(e, ERR_INVALID, "%d: not a port number", o->port);
    OWN_FD int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) return err_errno(e, errno, "open a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int only = !is_any_ipv6(address);
    if (!is_ipv4) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    int bound = is_ipv4 ? bind(fd, (struct sockaddr *)&ipv4, sizeof ipv4)
                        : bind(fd, (struct sockaddr *)&ipv6, sizeof ipv6);
    if (bound == 0) return true;
    if (errno != EADDRINUSE) return err_errno(e, errno, "listen on %s port %d", address, o->port);
    err_set(e, ERR_CONFLICT, "%s port %d is in use by another program", address, o->port);
    return err_hint(e, "see who: ss -ltnp 'sport = :%d'; or give another port, 0 picks one",
                    o->port);
}

/* As CivetWeb reads it. */
static void name_port(const struct http_server_options *o, char *out, size_t size) {
    const char *address = address_of(o);
    if (is_any_ipv6(address)) /* and of IPv4 */
        snprintf(out, size, "+%d", o->port);
    else
        snprintf(out, size, strchr(address, ':') != NULL ? "[%s]:%d" : "%s:%d", address, o->port);
}

static bool start_civetweb(struct http_server *s, struct err *e) {
    const struct http_server_options *o = &s->options;
    char listening[HTTP_ADDRESS_SIZE + 16];
    char threads[16];
    char header_timeout[24];
    char keep_alive[24];
    char trouble[160] = "";
    name_port(o, listening, sizeof listening);
    snprintf(threads, sizeof threads, "%zu", s->worker_count);
    snprintf(header_timeout, sizeof header_timeout, "%" PRId64, o->header_timeout_ms);
    snprintf(keep_alive, sizeof keep_alive, "%" PRId64, o->keep_alive_ms);
    const char *settings[] = {"listening_ports",
                              listening,
                              "num_threads",
                              threads,
                              "request_timeout_ms",
                              header_timeout,
                              "keep_alive_timeout_ms",
                              keep_alive,
                              "enable_keep_alive",
                              "yes",
                              "tcp_nodelay",
                              "1",
                              "decode_url",
                              "no",
                              "enable_auth_domain_check",
                              "no",
                              "listen_backlog",
                              "4096", /* beyond, a client waits a second for its next try */
                              "connection_queue",
                              "256",
                              NULL};
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = s, .configuration_options = settings};
    struct mg_error_data error = {.text = trouble, .text_buffer_size = sizeof trouble};
    struct mg_context *context = civetweb_start(&init, &error, s->workers_begun);
    if (context == NULL)
        return err_set(e, ERR_IO, "start the HTTP server: %s%s%s", trouble,
                       s->startup_trouble[0] != '\0' ? ": " : "", s->startup_trouble);
    struct mg_server_port port;
    int ports = mg_get_server_ports(context, 1, &port);
    assert(ports == 1);
    s->port = port.port;
    s->civetweb = context;
    return true;
}

static void set_defaults(struct http_server_options *o) {
    if (o->workers <= 0) o->workers = 16;
    if (o->header_timeout_ms <= 0) o->header_timeout_ms = HEADER_TIMEOUT_MS;
    if (o->keep_alive_ms <= 0) o->keep_alive_ms = KEEP_ALIVE_MS;
    if (o->stop_timeout_ms <= 0) o->stop_timeout_ms = STOP_TIMEOUT_MS;
}

static void server_free(struct http_server *s) {
    assert(s->busy_count == 0); /* every worker has ended, or none began */
    pthread_cond_destroy(&s->quiet);
    pthread_mutex_destroy(&s->lock);
    http_tls_close(s->tls);
    free(s->workers);
    free(s);
}

static struct http_server *server_new(const struct http_server_options *options) {
    struct http_server *s = memory_zeroed(1, sizeof *s);
    s->options = *options;
    set_defaults(&s->options);
    s->worker_count = (size_t)s->options.workers;
    s->workers = memory_zeroed(s->worker_count, sizeof *s->workers);
    s->workers_begun = s->worker_count < WORKERS_IDLE ? s->worker_count : WORKERS_IDLE;
    for (size_t i = 0; i < s->worker_count; i++) {
        s->workers[i].server = s;
        s->workers[i].socket = -1;
    }
    uint32_t prefix = 0;
    if (getrandom(&prefix, sizeof prefix, 0) != sizeof prefix)
        prefix = (uint32_t)clock_monotonic_ms();
    snprintf(s->request_prefix, sizeof s->request_prefix, "%08" PRIx32, prefix);
    condition_init(&s->quiet);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void init_civetweb(void) {
    unsigned features = mg_init_library(MG_FEATURES_DEFAULT);
    (void)features;
}

bool http_server_start(struct http_server **out, const struct http_server_options *options,
                       struct err *e) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_civetweb);
    if (!check_listening(options, e)) return false;
    struct http_server *s = server_new(options);
    bool tls_ready = options->certificate == NULL || http_tls_open(&s->tls, &s->options, e);
    if (!tls_ready || !start_civetweb(s, e)) {
        server_free(s);
        return false;
    }
    atomic_store(&s->started, true);
    *out = s;
    return true;
}

int http_server_port(const struct http_server *s) {
    return s->port;
}

void http_server_drain(struct http_server *s) {
    atomic_store(&s->draining, true);
}

/* Ends what waits for a request; with all, what answers one too. shutdown(2) leaves the number of
 * the socket alone, so that the worker still closes its own. */
static void end_connections(struct http_server *s, bool all) {
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->worker_count; i++) {
        struct http_worker *worker = &s->workers[i];
        if (worker->socket < 0) continue;
        if (worker->web_socket != NULL && !all)
            http_socket_close(worker->web_socket, 1001);
        else if (!worker->busy || all)
            shutdown(worker->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
}

static void wait_until_quiet(struct http_server *s) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += s->options.stop_timeout_ms / 1000;
    deadline.tv_nsec += s->options.stop_timeout_ms % 1000 * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    while (s->busy_count > 0 && pthread_cond_timedwait(&s->quiet, &s->lock, &deadline) == 0) {
    }
    pthread_mutex_unlock(&s->lock);
}

void http_server_stop(struct http_server *s) {
    atomic_store(&s->stopping, true);
    http_server_drain(s);
    end_connections(s, false);
    wait_until_quiet(s);
    end_connections(s, true);
    civetweb_stop_listening(s->civetweb);
    mg_stop(s->civetweb);
    server_free(s);
}
