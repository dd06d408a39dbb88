/* The first start of a grid: its id, its admin token, and what to type next. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"

struct master;

/* What was found in the state directory. */
struct beginning {
    bool fresh;    /* nothing: the grid's id is new */
    bool restored; /* a backup, most likely: no admin token, which none holds */
};

/* Reads the grid's id or makes it, with an admin token. One is also made when its file is gone. A
 * first start that was cut off half-way counts as fresh again: the id is written last. */
MUST_CHECK bool first_start_state(struct db *db, const char *state_directory, char grid_id[33],
                                  struct beginning *out, struct err *e);

/* Marks the grid as made, once its keys are on disk too. */
MUST_CHECK bool first_start_done(struct db *db, const char *grid_id, struct err *e);

/* Prints what a newcomer types next. */
void first_start_help(const struct master *m);
