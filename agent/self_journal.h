/* What the agent writes down about its own update before it acts, in STATE/agent/journal
 * (agent/sealed.h). It survives the agent that wrote it: the build before and the new one read the
 * same. Blocks on disk; one thread. */
#pragma once

#include "agent/builds.h"
#include "agent/state.h"
#include "lib/json.h"
#include "lib/wire.h"

/* SWITCHING, PROBATION and RETURNING are under way; COMMITTED and FAILED are how the last one
 * ended. */
#define SELF_STAGES(X)                                                                             \
    X(SELF_NONE, "")                                                                               \
    X(SELF_SWITCHING, "switching")                                                                 \
    X(SELF_PROBATION, "probation")                                                                 \
    X(SELF_RETURNING, "returning")                                                                 \
    X(SELF_COMMITTED, "committed")                                                                 \
    X(SELF_FAILED, "failed")

enum self_stage {
#define SELF_ENUM(stage, name) stage,
    SELF_STAGES(SELF_ENUM)
#undef SELF_ENUM
};

struct self_journal {
    enum self_stage stage;
    char from[BUILDS_NAME_SIZE];
    char to[BUILDS_NAME_SIZE];
    struct wire_grant grant; /* that it began with */
    int64_t switches;        /* times that the links were switched for it */
    int64_t
        held; /* nodes whose directories were somebody else's before: not the new build's fault */
    bool unseen;   /* RETURNING: because the master never answered */
    char code[32]; /* RETURNING, FAILED: as in struct wire_update */
    char cause[12];
    char reason[256];
    char *diagnosis;
};

void self_journal_clear(struct self_journal *j);

/* A missing journal is an empty one; so is a damaged one, which is logged. */
void self_journal_load(struct self_journal *out, const struct state *s);
MUST_CHECK bool self_journal_save(const struct self_journal *j, const struct state *s,
                                  struct err *e);
