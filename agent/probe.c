#include "agent/probe.h"

#include "lib/text.h"

#include <pthread.h>

struct probes {
    void (*answered)(void *argument);
    void *argument;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t asked;
    struct probe_answer *questions, **last_question; /* answers to be */
    struct probe_answer *answers, **last_answer;
    bool stopping;
};

struct probes *probes_new(void (*answered)(void *argument), void *argument) {
    struct probes *p = memory_zeroed(1, sizeof *p);
    *p = (struct probes){.answered = answered, .argument = argument};
    p->last_question = &p->questions;
    p->last_answer = &p->answers;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->asked, NULL);
    return p;
}

void probe_answer_free(struct probe_answer *a) {
    if (a == NULL) return;
    health_clear(&a->health);
    free(a->reasons);
    if (a->adopted.pidfd >= 0) close(a->adopted.pidfd);
    free(a);
}

static void free_list(struct probe_answer *a) {
    while (a != NULL) {
        struct probe_answer *next = a->next;
        probe_answer_free(a);
        a = next;
    }
}

void probes_free(struct probes *p) {
    if (p == NULL) return;
    free_list(p->questions);
    free_list(p->answers);
    pthread_cond_destroy(&p->asked);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void probes_stop(struct probes *p) {
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->asked);
    pthread_mutex_unlock(&p->lock);
}

void probes_ask(struct probes *p, const struct probe_question *q) {
    struct probe_answer *a = memory_zeroed(1, sizeof *a);
    a->question = *q;
    a->adopted.pidfd = -1;
    pthread_mutex_lock(&p->lock);
    *p->last_question = a;
    p->last_question = &a->next;
    pthread_cond_signal(&p->asked);
    pthread_mutex_unlock(&p->lock);
}

static struct probe_answer *pop(struct probe_answer **first, struct probe_answer ***last) {
    struct probe_answer *a = *first;
    if (a == NULL) return NULL;
    *first = a->next;
    if (*first == NULL) *last = first;
    a->next = NULL;
    return a;
}

struct probe_answer *probes_take(struct probes *p) {
    pthread_mutex_lock(&p->lock);
    struct probe_answer *a = pop(&p->answers, &p->last_answer);
    pthread_mutex_unlock(&p->lock);
    return a;
}

static struct probe_answer *next_question(struct probes *p) {
    pthread_mutex_lock(&p->lock);
    while (p->questions == NULL && !p->stopping) pthread_cond_wait(&p->asked, &p->lock);
    struct probe_answer *a = p->stopping ? NULL : pop(&p->questions, &p->last_question);
    pthread_mutex_unlock(&p->lock);
    return a;
}

static void find_answer(struct probe_answer *a) {
    const struct probe_question *q = &a->question;
    switch (q->kind) {
    case PROBE_HEALTH:
        (void)health_ask(q->port, q->nonce, &a->health);
        break;
    case PROBE_STOP:
        a->may_stop = health_may_stop(q->port, &a->reasons);
        break;
    case PROBE_EXAMINE:
        adopt_examine(q->data, q->node_id, q->nonce, &a->adopted);
        break;
    }
}

void *probes_run(void *probes) {
    struct probes *p = probes;
    for (struct probe_answer *a; (a = next_question(p)) != NULL;) {
        find_answer(a);
        pthread_mutex_lock(&p->lock);
        *p->last_answer = a;
        p->last_answer = &a->next;
        pthread_mutex_unlock(&p->lock);
        p->answered(p->argument);
    }
    return NULL;
}
