/* Waiting that ends early when the program does. Any thread. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pause {
    pthread_mutex_t lock; /* guards ended */
    pthread_cond_t end;
    bool ended;
};

void pause_init(struct pause *p);
void pause_fini(struct pause *p);

/* True after the time, false once it has ended. */
bool pause_for(struct pause *p, int64_t ms);
void pause_end(struct pause *p);
