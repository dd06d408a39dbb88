/* The master's SQL: every statement, prepared at start. Rows come back as the columns named beside
 * each. */
#pragma once

#include "lib/db.h"

enum query {
    Q_QUICK_CHECK,
    Q_META_GET,
    Q_META_SET,

    Q_ARTIFACT_INSERT,
    Q_ARTIFACT_FIND,
    Q_ARTIFACT_LIST,
    Q_ARTIFACT_YANK,
    Q_ARTIFACT_DELETE,
    Q_ARTIFACT_DIGEST_IN_USE,
    Q_ARTIFACT_REVIVE,

    Q_CHANNEL_SET,
    Q_CHANNEL_FIND,
    Q_CHANNEL_LIST,

    Q_AGENT_INSERT,
    Q_AGENT_LIST,
    Q_AGENT_FIND,
    Q_AGENT_CHOICE_LIST,
    Q_AGENT_CHOICE_FIND,
    Q_AGENT_REENROLL,
    Q_AGENT_SET_ADMISSION,
    Q_AGENT_SET_DESIRED,
    Q_AGENT_SET_LABELS,
    Q_AGENT_SET_CHANNEL,
    Q_AGENT_SET_MODE,
    Q_AGENT_RAISE_GENERATION,
    Q_AGENT_SET_OBSERVED,
    Q_AGENT_DELETE,

    Q_NODE_LIST,
    Q_NODE_OF_AGENT,
    Q_NODE_RESTART,

    Q_TOKEN_INSERT,
    Q_TOKEN_FIND,
    Q_TOKEN_LIST,
    Q_TOKEN_DELETE,
    Q_TOKEN_CONSUME,
    Q_TOKEN_PRUNE,

    Q_EVENT_INSERT,
    Q_EVENT_SINCE,
    Q_EVENT_NEWEST,
    Q_EVENT_BOUNDS,
    Q_EVENT_PRUNE,

    Q_COUNT
};

/* Opens STATE/grid.db with these statements and the embedded migrations. */
MUST_CHECK bool store_open(struct db **out, const char *state_directory, struct err *e);
