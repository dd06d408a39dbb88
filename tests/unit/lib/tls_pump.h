/* Lets a test that knows plain sockets speak to a TLS server: a thread stands between. Set
 * GRID_TEST_TLS and the tests over http_fixture.h run over HTTPS, each as it is. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct tls_pump {
    SSL *tls;
    int server;
    int test;
    char out[16384]; /* of the server, for the test */
    size_t out_begin, out_end;
    bool test_ended, server_ended;
};

static bool pump_again(struct tls_pump *p, int done) {
    int trouble = SSL_get_error(p->tls, done);
    ERR_clear_error();
    return trouble == SSL_ERROR_WANT_READ || trouble == SSL_ERROR_WANT_WRITE;
}

static void pump_wait(int fd, short events) {
    struct pollfd one = {.fd = fd, .events = events};
    poll(&one, 1, -1);
}

/* What the test sent goes out whole, however long the server takes. */
static void pump_to_server(struct tls_pump *p) {
    char bytes[16384];
    ssize_t got = recv(p->test, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        p->test_ended = true;
        SSL_shutdown(p->tls);
        shutdown(p->server, SHUT_WR);
        return;
    }
    for (;;) {
        int done = SSL_write(p->tls, bytes, (int)got);
        if (done > 0) return;
        if (!pump_again(p, done)) break;
        pump_wait(p->server, POLLOUT);
    }
    p->test_ended = true; /* nobody takes more of it */
}

static void pump_from_server(struct tls_pump *p) {
    if (p->out_begin == p->out_end) {
        int got = SSL_read(p->tls, p->out, sizeof p->out);
        if (got <= 0) {
            p->server_ended = !pump_again(p, got);
            if (p->server_ended) shutdown(p->test, SHUT_WR);
            return;
        }
        p->out_begin = 0;
        p->out_end = (size_t)got;
    }
    ssize_t sent = send(p->test, p->out + p->out_begin, p->out_end - p->out_begin,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        p->out_begin += (size_t)sent;
    else if (errno != EAGAIN)
        p->test_ended = p->server_ended = true; /* the test has closed */
}

static bool pump_agree(struct tls_pump *p) {
    for (;;) {
        int done = SSL_connect(p->tls);
        if (done == 1) return true;
        if (!pump_again(p, done)) return false;
        pump_wait(p->server, SSL_want_write(p->tls) ? POLLOUT : POLLIN);
    }
}

static void *pump_run(void *argument) {
    struct tls_pump *p = argument;
    p->test_ended = p->server_ended = !pump_agree(p);
    while (!p->server_ended || !p->test_ended) {
        bool waits = p->out_begin < p->out_end;
        int out = waits ? p->test : p->server;
        struct pollfd both[] = {
            {.fd = p->test_ended ? -1 : p->test, .events = POLLIN                  },
            {.fd = p->server_ended ? -1 : out,   .events = waits ? POLLOUT : POLLIN},
        };
        bool held = !p->server_ended && !waits && SSL_pending(p->tls) > 0;
        if (poll(both, 2, held ? 0 : -1) < 0) continue;
        if (both[0].revents != 0) pump_to_server(p);
        if (both[1].revents != 0 || held) pump_from_server(p);
    }
    close(p->test);
    SSL_free(p->tls);
    close(p->server);
    free(p);
    return NULL;
}

/* Takes the connected socket over; what is returned is plain. */
__attribute__((unused)) static int tls_pump_begin(int server) {
    static SSL_CTX *context;
    int pair[2];
    struct tls_pump *p = calloc(1, sizeof *p);
    pthread_t thread;
    if (context == NULL) context = SSL_CTX_new(TLS_client_method());
    if (p == NULL || context == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    fcntl(server, F_SETFL, O_NONBLOCK);
    p->server = server;
    p->test = pair[1];
    p->tls = SSL_new(context);
    SSL_set_fd(p->tls, server);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_create(&thread, NULL, pump_run, p) != 0) abort();
    pthread_detach(thread);
    return pair[0];
}

/* Key and certificate, made once for the program. */
__attribute__((unused)) static const char *tls_test_certificate(void) {
    static char path[64];
    char command[1024];
    if (path[0] != '\0') return path;
    snprintf(path, sizeof path, "/tmp/grid-test-tls-%d.pem", (int)getpid());
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.crt "
             "2>/dev/null && cat %s.key %s.crt >%s && rm %s.key %s.crt",
             path, path, path, path, path, path, path);
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    if (pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0) abort();
    return path;
}

__attribute__((destructor, unused)) static void tls_test_certificate_remove(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/grid-test-tls-%d.pem", (int)getpid());
    unlink(path);
}
