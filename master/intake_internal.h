/* What the files of intake share: intake.c (the thread and its list), intake_look.c (what lies in
 * the drop box), intake_take.c (one file's way in). Not for others. */
#pragma once

#include "lib/artifact.h"
#include "lib/text.h"
#include "master/catalog.h"
#include "master/intake.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#define DROP_MAX_BYTES (INT64_C(4) << 30)

/* A state of a file that differs whenever content or kind might. Whole numbers only: compared as
 * bytes. */
struct file_look {
    int64_t device, inode, mode, links, size_bytes, modified_ns, changed_ns;
};
struct look {
    struct file_look file;
    struct file_look signature; /* zeros: there is none */
};

enum drop_state { DROP_SEEN, DROP_TAKEN, DROP_HELD, DROP_REFUSED };

/* A file in the drop box and what came of it. */
struct drop {
    char name[NAME_MAX + 1];
    struct look look;
    int64_t since_ms; /* when it was first seen to look so */
    bool hinted;      /* the kernel said that a writer closed it or that it was moved here */
    enum drop_state state;
    int64_t tried_ms;
    enum err_code code; /* of the refusal */
    struct rejected why;
};

struct drops {
    struct drop *items; /* by name */
    size_t count;
};

struct intake {
    char directory[PATH_MAX];
    struct catalog *catalog;
    struct agents *agents;
    struct events *events;
    int64_t interval_ms;
    int inotify; /* -1: not to be had */
    int watch;
    int wake; /* eventfd */
    atomic_bool stopping;
    atomic_bool scanned;
    bool unreadable; /* the directory, as logged last */
    bool undecided;  /* a file is to be looked at again soon */
    int64_t trust;   /* differs when other signatures are believed */
    struct drops drops;
    pthread_mutex_t lock; /* guards the fields below */
    struct rejected *rejected;
    size_t rejected_count;
};

/* Intake_look.c. */
/* Fills *out with what lies in the directory now, knowledge about files that look as they did in
 * `before` included. hints: names ending in '\n', one after another. */
MUST_CHECK bool intake_look(int directory, const struct drops *before, const char *hints,
                            int64_t now_ms, struct drops *out, struct err *e);
/* NULL: no such name lies there. */
struct drop *intake_find(const struct drops *drops, const char *name);
void intake_look_at(const struct stat *status, struct file_look *out);

/* Reads the kernel's hints since the last call onto out; never waits. */
void intake_read_hints(const struct intake *i, struct text *out);

/* name as it may be shown anywhere: one '?' for each byte that is no plain printable character. */
void intake_printable(const char *name, char out[256]);

/* Intake_take.c. */
/* LATER: it is still being written, or changed while it was copied. OFFERED: the batch tells what
 * comes of it, with the drop as its subject. */
enum outcome { OUTCOME_OFFERED, OUTCOME_SAME, OUTCOME_REFUSED, OUTCOME_LATER };
enum outcome intake_take(struct intake *i, struct catalog_batch *batch, int directory,
                         struct drop *drop, int64_t now_ms, struct err *e);
