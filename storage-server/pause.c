#include "storage-server/pause.h"

#include "lib/condition.h"

#include <errno.h>
#include <time.h>

void pause_init(struct pause *p) {
    condition_init(&p->end);
    pthread_mutex_init(&p->lock, NULL);
    p->ended = false;
}

void pause_fini(struct pause *p) {
    pthread_cond_destroy(&p->end);
    pthread_mutex_destroy(&p->lock);
}

bool pause_for(struct pause *p, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    while (!p->ended && pthread_cond_timedwait(&p->end, &p->lock, &until) != ETIMEDOUT) continue;
    bool goes_on = !p->ended;
    pthread_mutex_unlock(&p->lock);
    return goes_on;
}

void pause_end(struct pause *p) {
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->end);
    pthread_mutex_unlock(&p->lock);
}
