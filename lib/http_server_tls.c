#include "lib/http_server_tls.h"

#include "lib/clock.h"
#include "lib/file_stamp.h"
#include "lib/log.h"
#include "lib/tls_pair.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 1000        /* how often files are looked at for a change */
#define TICKET_S 7200       /* how long a client may come back without a full handshake */
#define RECORD_HANDSHAKE 22 /* RFC 8446: the first byte of every client that speaks TLS */

/* AES first: processors have instructions for it. A client that prefers ChaCha20 has none. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct stamps {
    struct file_stamp certificate;
    struct file_stamp client_ca;
};

struct http_tls {
    char *certificate;
    char *client_ca; /* NULL: nobody is asked for a certificate */

    pthread_mutex_t lock; /* guards the three fields below */
    SSL_CTX *context;     /* exchanged with the files; connections keep theirs */
    int64_t looked_at_ms;
    bool looking; /* somebody reads the files */

    /* Of who looks alone. */
    struct stamps shown; /* of what the context was made of */
    struct stamps tried; /* of what was read last, if only in vain */
    struct err told;     /* what went wrong then; "": nothing */
};

static bool failed(struct err *e, const char *what) {
    char reason[128];
    tls_trouble(reason, sizeof reason);
    return err_set(e, ERR_INVALID, "%s: %s", what, reason);
}

static bool set_rules(SSL_CTX *context) {
    /* Who ends without a farewell has ended all the same: HTTP says itself how long things are. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CLEANSE_PLAINTEXT);
    /* A buffer lives only while there is something in it: most connections are idle. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Clients that come back bring a ticket; a cache of our own would be a lock for all workers. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TICKET_S);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, SUITES_13) == 1 &&
           SSL_CTX_set_cipher_list(context, SUITES_12) == 1 &&
           SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_session_id_context(context, (const unsigned char *)"grid", 4) == 1;
}

static bool set_pair(SSL_CTX *context, const char *path, struct err *e) {
    OWN(tls_pair) struct tls_pair *p = NULL;
    if (!tls_pair_read(&p, path, e)) return false;
    return SSL_CTX_use_cert_and_key(context, p->leaf, p->key, p->chain, 1) == 1 || failed(e, path);
}

static bool no_client_ca(const char *path, struct err *e) {
    bool readable = access(path, R_OK) == 0;
    ERR_clear_error();
    err_set(e, ERR_INVALID, "CA of clients: %s: %s", path,
            readable ? "there is no certificate in PEM" : strerror(errno));
    return err_hint(e, "name a file with the certificates of the CAs whose clients may come");
}

/* Whoever shows a certificate shows a good one; what it is good for, routes decide. */
static bool set_client_ca(SSL_CTX *context, const char *path, struct err *e) {
    if (path == NULL) return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names == NULL || SSL_CTX_load_verify_file(context, path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return no_client_ca(path, e);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return true;
}

static bool make_context(const struct http_tls *t, SSL_CTX **out, struct err *e) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool made = context != NULL && set_rules(context);
    if (!made) failed(e, "TLS");
    if (!made || !set_pair(context, t->certificate, e) ||
        !set_client_ca(context, t->client_ca, e)) {
        SSL_CTX_free(context);
        return false;
    }
    *out = context;
    return true;
}

static struct stamps take_stamps(const struct http_tls *t) {
    struct stamps s = {.certificate = file_stamp(t->certificate)};
    if (t->client_ca != NULL) s.client_ca = file_stamp(t->client_ca);
    return s;
}

static bool same_stamps(const struct stamps *a, const struct stamps *b) {
    return file_stamp_equal(&a->certificate, &b->certificate) &&
           file_stamp_equal(&a->client_ca, &b->client_ca);
}

/* True for one thread now and then, whose turn it is to look. */
static bool begin_looking(struct http_tls *t) {
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&t->lock);
    bool mine = !t->looking && now_ms - t->looked_at_ms >= LOOK_MS;
    if (mine) {
        t->looking = true;
        t->looked_at_ms = now_ms;
    }
    pthread_mutex_unlock(&t->lock);
    return mine;
}

static void end_looking(struct http_tls *t, SSL_CTX *context) {
    SSL_CTX *old = NULL;
    pthread_mutex_lock(&t->lock);
    t->looking = false;
    if (context != NULL) {
        old = t->context;
        t->context = context;
    }
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
}

static bool read_anew(struct http_tls *t, const struct stamps *now, SSL_CTX **out, struct err *e) {
    if (!same_stamps(now, &t->tried)) t->told = (struct err){0};
    t->tried = *now;
    if (!make_context(t, out, e)) return false;
    t->shown = *now;
    return true;
}

/* What was exchanged is read; when it is broken, what was there before serves on. It is read again
 * then, as the failure may pass without a change of the files, but is told only once. */
static void look(struct http_tls *t) {
    struct err e = {0};
    SSL_CTX *context = NULL;
    if (!begin_looking(t)) return;
    struct stamps now = take_stamps(t);
    bool changed = !same_stamps(&now, &t->shown);
    if (changed && read_anew(t, &now, &context, &e))
        log_info("http.certificate", "path=%s", t->certificate);
    else if (changed && strcmp(e.text, t->told.text) != 0)
        log_error("http.certificate", "error=%s", e.text);
    if (changed) t->told = e;
    end_looking(t, context);
}

bool http_tls_open(struct http_tls **out, const struct http_server_options *options,
                   struct err *e) {
    struct http_tls *t = memory_zeroed(1, sizeof *t);
    t->certificate = text_duplicate(options->certificate);
    t->client_ca = text_duplicate(options->client_ca);
    t->shown = take_stamps(t);
    t->looked_at_ms = clock_monotonic_ms();
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    if (make_context(t, &t->context, e)) return true;
    http_tls_close(t);
    *out = NULL;
    return false;
}

void http_tls_close(struct http_tls *t) {
    if (t == NULL) return;
    SSL_CTX_free(t->context);
    pthread_mutex_destroy(&t->lock);
    free(t->certificate);
    free(t->client_ca);
    free(t);
}

static SSL *new_connection(struct http_tls *t, int socket) {
    look(t);
    pthread_mutex_lock(&t->lock);
    SSL *tls = SSL_new(t->context);
    pthread_mutex_unlock(&t->lock);
    if (tls == NULL || SSL_set_fd(tls, socket) != 1) {
        SSL_free(tls);
        return NULL;
    }
    return tls;
}

/* False when the deadline passed first. */
static bool wait_for(int socket, short events, int64_t deadline_ms) {
    for (;;) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd one = {.fd = socket, .events = events};
        if (left_ms <= 0) return false;
        int ready = poll(&one, 1, (int)left_ms);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    }
}

static bool shake_hands(SSL *tls, int socket, int64_t deadline_ms) {
    for (;;) {
        ERR_clear_error();
        int done = SSL_accept(tls);
        if (done == 1) return true;
        int trouble = SSL_get_error(tls, done);
        if (trouble != SSL_ERROR_WANT_READ && trouble != SSL_ERROR_WANT_WRITE) return false;
        short awaited = trouble == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        if (!wait_for(socket, awaited, deadline_ms)) return false;
    }
}

enum http_tls_result http_tls_accept(struct http_tls *t, int socket, int64_t deadline_ms,
                                     SSL **out) {
    unsigned char first = 0;
    if (!wait_for(socket, POLLIN, deadline_ms) || recv(socket, &first, 1, MSG_PEEK) != 1)
        return HTTP_TLS_FAILED;
    if (first != RECORD_HANDSHAKE) return HTTP_TLS_PLAIN;
    SSL *tls = new_connection(t, socket);
    if (tls != NULL && shake_hands(tls, socket, deadline_ms)) {
        *out = tls;
        return HTTP_TLS_AGREED;
    }
    char reason[128];
    tls_trouble(reason, sizeof reason);
    log_debug("http.tls_refused", "reason=%s", reason);
    SSL_free(tls);
    return HTTP_TLS_FAILED;
}
