#include "lib/bus_internal.h"
#include "lib/clock.h"
#include "lib/condition.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool bus_host(const char *host, char out[BUS_HOST_SIZE], struct err *e) {
    size_t length = strnlen(host, BUS_HOST_SIZE);
    if (length >= 2 && length < BUS_HOST_SIZE && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    /* NNG gives ; @ / and others a meaning of their own in a URL. */
    if (length == 0 || length >= BUS_HOST_SIZE ||
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_") < length)
        return err_set(e, ERR_INVALID, "\"%.80s\" is no host name or address", host);
    memcpy(out, host, length);
    out[length] = '\0';
    return strchr(out, ':') == NULL || bus_host_is_literal(out) ||
           err_set(e, ERR_INVALID, "\"%.80s\" is no host name or address", out);
}

bool bus_host_is_literal(const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

void bus_url(char out[BUS_URL_SIZE], const char *scheme, const char *host, int port) {
    bool bracketed = strchr(host, ':') != NULL;
    int length = snprintf(out, BUS_URL_SIZE, "%s://%s%s%s:%d", scheme, bracketed ? "[" : "", host,
                          bracketed ? "]" : "", port);
    assert(length > 0 && length < BUS_URL_SIZE);
}

static enum err_code code_of(int code) {
    switch (code) {
    case NNG_EADDRINUSE:
        return ERR_CONFLICT;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
        return ERR_INVALID;
    case NNG_EPERM:
        return ERR_DENIED;
    case NNG_ETIMEDOUT:
        return ERR_TIMEOUT;
    case NNG_EMSGSIZE:
        return ERR_TOO_LARGE;
    case NNG_ECONNREFUSED:
    case NNG_ECONNRESET:
    case NNG_EUNREACHABLE:
        return ERR_UNREACHABLE;
    case NNG_ENOMEM:
    case NNG_ENOFILES:
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}

bool bus_error(struct err *e, int code, const char *format, ...) {
    char words[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return err_set(e, code_of(code), "%s: %s", words, nng_strerror(code));
}

void bus_must(int code) {
    if (code == 0) return;
    fprintf(stderr, "the bus cannot go on: %s\n", nng_strerror(code));
    abort();
}

void bus_signal_init(struct bus_signal *s) {
    pthread_mutex_init(&s->lock, NULL);
    condition_init(&s->changed);
}

void bus_signal_fini(struct bus_signal *s) {
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
}

bool bus_signal_wait(struct bus_signal *s, int64_t deadline_ms) {
    if (deadline_ms == INT64_MAX) return pthread_cond_wait(&s->changed, &s->lock) == 0;
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT;
}

int64_t bus_deadline(int64_t timeout_ms) {
    return timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
}
