#include "bench/herd/herd_internal.h"

#include "lib/clock.h"
#include "lib/sign_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void herd_agent_id(size_t number, char *out, size_t size) {
    snprintf(out, size, "herd-%05zu", number);
}

double herd_now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void herd_live(struct herd *h, int change) {
    pthread_mutex_lock(&h->lock);
    h->status.live += (size_t)change;
    bool all = h->status.live == h->options.count;
    h->status.all_live_at_s = all ? herd_now_s() : 0;
    pthread_mutex_unlock(&h->lock);
}

void herd_lost(struct herd *h) {
    pthread_mutex_lock(&h->lock);
    h->status.lost++;
    pthread_mutex_unlock(&h->lock);
}

void herd_answered(struct herd *h, double changed_at_s) {
    pthread_mutex_lock(&h->lock);
    h->status.answers++;
    if (changed_at_s > 0 && h->latency_count < h->latency_capacity)
        h->latencies_ms[h->latency_count++] = (herd_now_s() - changed_at_s) * 1000;
    pthread_mutex_unlock(&h->lock);
}

void herd_told(struct herd *h, const struct herd_grant *grant) {
    pthread_mutex_lock(&h->lock);
    if (strcmp(grant->version, h->expected) == 0) {
        h->status.told++;
        h->status.last_told_at_s = herd_now_s();
    }
    if (grant->rollout[0] != '\0' && grant->lease_ms == 0) {
        h->status.halted++;
        h->status.last_halted_at_s = herd_now_s();
    }
    pthread_mutex_unlock(&h->lock);
}

void herd_switched(struct herd *h) {
    pthread_mutex_lock(&h->lock);
    h->status.switched++;
    pthread_mutex_unlock(&h->lock);
}

void herd_switch(struct herd *h, int64_t ms) {
    pthread_mutex_lock(&h->lock);
    h->switch_ms = ms;
    pthread_mutex_unlock(&h->lock);
}

int64_t herd_switch_ms(struct herd *h) {
    pthread_mutex_lock(&h->lock);
    int64_t ms = h->switch_ms;
    pthread_mutex_unlock(&h->lock);
    return ms;
}

bool herd_open(struct herd **out, const struct herd_options *options, struct err *e) {
    struct herd *h = memory_zeroed(1, sizeof *h);
    *out = h;
    h->options = *options;
    sign_public_text(options->master_key, h->master_key);
    pthread_mutex_init(&h->lock, NULL);
    h->agents = memory_zeroed(options->count, sizeof *h->agents);
    h->due_ms = memory_zeroed(options->count, sizeof *h->due_ms);
    for (size_t i = 0; i < options->count; i++) {
        struct herd_agent *a = &h->agents[i];
        a->herd = h;
        a->key = &options->keys[i];
        a->due_ms = &h->due_ms[i];
        herd_agent_id(i, a->id, sizeof a->id);
        if (!herd_agent_open(a, e)) return false;
    }
    return true;
}

void herd_tick(struct herd *h) {
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < h->options.count; i++)
        if (atomic_load(&h->due_ms[i]) <= now_ms) herd_agent_tick(&h->agents[i], now_ms);
}

void herd_change(struct herd *h, size_t count) {
    pthread_mutex_lock(&h->lock);
    size_t first = h->next_changed;
    h->next_changed = (first + count) % h->options.count;
    h->latency_capacity = h->latency_count + count;
    h->latencies_ms = memory_resize(h->latencies_ms, h->latency_capacity, sizeof *h->latencies_ms);
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < count; i++)
        herd_agent_change(&h->agents[(first + i) % h->options.count]);
}

void herd_expect(struct herd *h, const char *version) {
    pthread_mutex_lock(&h->lock);
    snprintf(h->expected, sizeof h->expected, "%s", version);
    h->status.told = 0;
    h->status.last_told_at_s = 0;
    h->status.halted = 0;
    h->status.last_halted_at_s = 0;
    h->latency_count = 0;
    pthread_mutex_unlock(&h->lock);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void herd_status(struct herd *h, struct herd_status *out) {
    pthread_mutex_lock(&h->lock);
    *out = h->status;
    out->measured = h->latency_count;
    if (h->latency_count > 0) {
        qsort(h->latencies_ms, h->latency_count, sizeof *h->latencies_ms, by_size);
        out->p50_ms = h->latencies_ms[h->latency_count / 2];
        out->p99_ms = h->latencies_ms[h->latency_count * 99 / 100];
        out->longest_ms = h->latencies_ms[h->latency_count - 1];
    }
    pthread_mutex_unlock(&h->lock);
}
