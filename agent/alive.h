/* The sign of life that an agent gives its launcher, so that one that hangs is noticed. Without a
 * launcher, or with one that does not ask for it, nothing happens. */
#pragma once

#include <stdint.h>

/* "FD MS": a descriptor of eventfd(2), and how often something should be written to it. */
#define ALIVE_VARIABLE "GRID_ALIVE"

/* Takes the descriptor out of the environment, closes it to whatever this program executes, and
 * gives a first sign. Before threads start. */
void alive_begin(void);

/* Any thread; it is the supervisor's to say, once it is there: what it means is that nodes are
 * looked after. At least once in alive_every_ms. */
void alive_tell(void);
int64_t alive_every_ms(void); /* INT64_MAX: nobody asks */
