/* How nodes are fenced in before their program starts: in layers, each of which works where the
 * machine allows it, and says why where it does not. Made once at start by the main thread; used by
 * the supervisor's. */
#pragma once

#include "lib/err.h"
#include "lib/seccomp.h"
#include "lib/text.h"

#include <sys/types.h>

#define SANDBOX_USER "grid-node"

enum sandbox_layer {
    SANDBOX_LIMITS,       /* no core dumps, no more descriptors than a node needs */
    SANDBOX_DESCRIPTORS,  /* none of the agent's are handed on */
    SANDBOX_PRIVILEGES,   /* none can be gained */
    SANDBOX_USER_LAYER,   /* "separate-user": not root, where the agent is */
    SANDBOX_FILES,        /* "landlock": only its own data and the system's files */
    SANDBOX_SYSTEM_CALLS, /* "seccomp" */
    SANDBOX_LAYERS
};

struct sandbox {
    bool active[SANDBOX_LAYERS];
    char why[SANDBOX_LAYERS][96]; /* of one that is not active */
    uid_t user;                   /* of SANDBOX_USER_LAYER */
    gid_t group;
    struct seccomp_filter filter;
};

/* Finds out what works here. wanted false: nothing but descriptors and privileges, which are never
 * left out. */
void sandbox_probe(struct sandbox *s, bool wanted);

/* What one start needs. */
struct sandbox_start {
    const struct sandbox *sandbox;
    bool separate_user; /* not when the program is run from the store, which is root's alone */
    int rules_fd;       /* of Landlock; -1: none */
};

/* Before fork: makes the rules, and hands data over to the node's user unless it has been the
 * user's since the last start (owned). store_fd: the program when it is run from the store's file
 * (spawn_seal), else -1. */
MUST_CHECK bool sandbox_prepare(const struct sandbox *s, const char *data, int store_fd, bool owned,
                                struct sandbox_start *out, struct err *e);
void sandbox_start_fini(struct sandbox_start *start);

/* Between fork and exec, when everything else is done there. Returns errno, 0 when done. */
int sandbox_enter(const struct sandbox_start *start);

/* The names of the layers of a start, lines; the caller frees. */
char *sandbox_layers(const struct sandbox_start *start);

/* A node that runs. */
struct sandbox_run {
    const char *node;
    const char *layers; /* sandbox_layers of its start; NULL: none that is known */
};

/* How nodes are fenced in: lines "LAYER=yes" or "LAYER=no: WHY", as in wire_heartbeat; the caller
 * frees. What counts is how those that run were started, be it by an agent of before or with other
 * options; without any it is what the next one gets. */
char *sandbox_text(const struct sandbox *s, const struct sandbox_run *runs, size_t count);
