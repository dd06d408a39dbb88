#include "agent/exchange.h"

#include "lib/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct listener {
    void (*news)(void *argument);
    void *argument;
};

struct exchange {
    struct listener link, supervisor;
    pthread_mutex_t lock; /* guards everything below */
    char *report;
    int64_t log_request;
    struct exchange_desired desired; /* json is ours */
};

struct exchange *exchange_new(void) {
    struct exchange *x = memory_zeroed(1, sizeof *x);
    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void exchange_free(struct exchange *x) {
    if (x == NULL) return;
    free(x->report);
    free(x->desired.json);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

void exchange_on_report(struct exchange *x, void (*news)(void *argument), void *argument) {
    x->link = (struct listener){news, argument};
}

void exchange_on_desired(struct exchange *x, void (*news)(void *argument), void *argument) {
    x->supervisor = (struct listener){news, argument};
}

static void tell(const struct listener *l) {
    if (l->news != NULL) l->news(l->argument);
}

void exchange_report(struct exchange *x, const char *json, bool news, int64_t log_request) {
    char *copy = text_duplicate(json);
    pthread_mutex_lock(&x->lock);
    free(x->report);
    x->report = copy;
    x->log_request = log_request;
    pthread_mutex_unlock(&x->lock);
    if (news) tell(&x->link);
}

void exchange_get_desired(struct exchange *x, struct exchange_desired *out) {
    pthread_mutex_lock(&x->lock);
    *out = x->desired;
    out->json = text_duplicate(x->desired.json);
    pthread_mutex_unlock(&x->lock);
}

bool exchange_get_report(struct exchange *x, struct text *json, int64_t *log_request) {
    pthread_mutex_lock(&x->lock);
    bool there = x->report != NULL;
    if (there) text_add(json, x->report);
    *log_request = x->log_request;
    pthread_mutex_unlock(&x->lock);
    return there;
}

void exchange_desired(struct exchange *x, const char *json, size_t length, int64_t log_told) {
    struct text copy = TEXT_EMPTY;
    text_add_bytes(&copy, json, length);
    pthread_mutex_lock(&x->lock);
    free(x->desired.json);
    x->desired.json = text_take(&copy);
    x->desired.number++;
    x->desired.received_ms = clock_boot_ms();
    if (log_told != 0) x->desired.log_told = log_told;
    pthread_mutex_unlock(&x->lock);
    tell(&x->supervisor);
}

void exchange_connected(struct exchange *x, bool connected) {
    pthread_mutex_lock(&x->lock);
    bool changed = x->desired.connected != connected;
    x->desired.connected = connected;
    pthread_mutex_unlock(&x->lock);
    if (changed) tell(&x->supervisor);
}

void exchange_http(struct exchange *x, int port, const char *pin) {
    pthread_mutex_lock(&x->lock);
    struct exchange_desired *d = &x->desired;
    int known = port != 0 ? port : d->http_port;
    bool changed = known != d->http_port || strcmp(pin, d->http_pin) != 0;
    d->http_port = known;
    snprintf(d->http_pin, sizeof d->http_pin, "%s", pin);
    pthread_mutex_unlock(&x->lock);
    if (changed) tell(&x->supervisor);
}
