/* The journal of this machine's updates, in STATE/journal: where a transition between versions
 * stands, what failed here and on whose order, so that an agent that is killed at any moment goes
 * on from there. A line with a CRC32C, then JSON; replaced as a whole and flushed. Blocks on disk;
 * one thread. */
#pragma once

#include "agent/state.h"
#include "agent/transition.h"
#include "lib/err.h"
#include "lib/wire.h"

#define JOURNAL_FAILURES 8
#define JOURNAL_DIAGNOSIS_MAX 2048

/* Where one node is in a transition. */
struct journal_node {
    bool moved; /* it was told to run the new version */
    bool excused;
    int64_t tries;
};

/* A version that did not work here. */
struct journal_failure {
    char sha256[SHA256_HEX_SIZE];
    char version[SEMVER_SIZE];
    char rollout[WIRE_ROLLOUT_ID_SIZE]; /* that gave leave, "" : none */
    int64_t attempt;                    /* of that rollout */
    int64_t generation;                 /* of the desired state */
    char code[32];
    char reason[256];
};

struct journal {
    const struct state *state;
    struct transition transition;
    /* of the latest transition, kept after its end */
    char from[SEMVER_SIZE];
    char to[SEMVER_SIZE];
    char to_sha256[SHA256_HEX_SIZE];
    char rollout[WIRE_ROLLOUT_ID_SIZE];
    int64_t attempt;
    int64_t generation;
    struct journal_node *nodes;
    size_t nodes_count;
    char code[32];  /* why it went back; "" : nothing to say */
    char cause[12]; /* as in struct wire_update */
    char reason[256];
    char *diagnosis;
    struct journal_failure failures[JOURNAL_FAILURES]; /* newest first */
    bool dirty;                                        /* differs from the file */
    int64_t retry_ms;                                  /* dirty: not written again before */
};

/* A journal that is not there is an empty one. False when it is damaged: then it is empty, too, and
 * the caller has to find out by other means where nodes are. */
MUST_CHECK bool journal_load(struct journal *j, const struct state *s, size_t node_count,
                             struct err *e);
void journal_fini(struct journal *j);

/* Writes it if it is dirty. False keeps it dirty: what is in memory counts nevertheless. */
MUST_CHECK bool journal_save(struct journal *j, struct err *e);

/* The same to begin a transition in: nothing is known of nodes, nobody is to blame. Whichever of
 * the two is not kept goes with journal_fini. */
struct journal journal_anew(const struct journal *j);

/* Sets why the transition goes back; NULL diagnosis: none. */
void journal_blame(struct journal *j, const char *cause, const struct err *why,
                   const char *diagnosis);

/* That the version on trial failed on the order that the transition began with. */
void journal_add_failure(struct journal *j);

/* Whether this digest failed on this very order: for a rollout in this attempt of it or a later
 * one, without a rollout in this generation. NULL: it may be tried. */
const struct journal_failure *journal_failed(const struct journal *j, const char *sha256,
                                             const char *rollout, int64_t attempt,
                                             int64_t generation);
