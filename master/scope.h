/* Scopes: which agents a principal is good for, as a selector over their effective labels; "" is
 * all of them. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#define SCOPE_SIZE 256

/* What a scope means for a route. */
enum scope_rule {
    SCOPE_UNSAID,  /* closed to everybody who has one */
    SCOPE_ALL,     /* the same for everybody: tells nothing of single machines */
    SCOPE_WITHIN,  /* the handler itself shows, or touches, only what is within */
    SCOPE_AGENT,   /* :id is an agent, which has to be within */
    SCOPE_NODE,    /* :id is a node, whose agent has to be within */
    SCOPE_ROLLOUT, /* :id is a rollout, whose selector has to be within */
    SCOPE_GRID,    /* it concerns the whole grid: for those without a scope */
};

/* The rule of a row of master_routes. */
enum scope_rule scope_of_route(const char *method, const char *pattern);

/* The canonical text of a selector that may serve as a scope. ERR_INVALID. */
MUST_CHECK bool scope_parse(const char *selector, char out[SCOPE_SIZE], struct err *e);

/* Whether inner selects nothing that outer does not, by its words: each term of outer is among
 * those of inner. */
bool scope_covers(const char *outer, const char *inner);

/* Appends the selector of what both select. */
void scope_and(const char *scope, const char *selector, struct text *out);

/* Whether an event may be told: of_agent_within tells whether its subject is an agent within (or a
 * node of one). */
bool scope_shows_event(const char *kind, bool of_agent_within);
