/* Conditions whose deadlines are on the monotonic clock, which no administrator can set back. */
#pragma once

#include <pthread.h>

void condition_init(pthread_cond_t *c); /* pthread_cond_destroy ends it */
