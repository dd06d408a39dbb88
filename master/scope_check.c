#include "master/scope_check.h"

#include "lib/labels.h"
#include "master/master.h"
#include "master/scope.h"
#include "master/view_rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct membership {
    const char *scope;
    bool within;
};

static bool match_agent(const struct agent_view *v, void *argument) {
    struct membership *m = argument;
    m->within = labels_match(v->labels, m->scope);
    return true;
}

bool scope_has_agent(struct agents *agents, const char *agent_id, const char *scope) {
    struct membership m = {.scope = scope};
    struct err ignored;
    return agents_visit_one(agents, agent_id, match_agent, &m, &ignored) && m.within;
}

static bool match_rollout(const struct rollout_view *v, void *argument) {
    struct membership *m = argument;
    m->within = scope_covers(m->scope, v->request->selector);
    return true;
}

bool scope_has_rollout(struct rollouts *rollouts, int64_t number, const char *scope) {
    struct membership m = {.scope = scope};
    struct err ignored;
    return scope[0] == '\0' ||
           (rollouts_visit_outline(rollouts, number, match_rollout, &m, &ignored) && m.within);
}

bool scope_refuse(const struct http_request *r, struct err *e) {
    err_set(e, ERR_DENIED, "this concerns the whole grid, and the scope here is \"%s\"",
            http_scope(r));
    return err_hint(e, "somebody without a scope has to do it");
}

/* A changed thing that is there and not within is named; the rest is as if it were not there. */
static bool refuse_thing(const struct http_request *r, const char *what, const char *id, bool there,
                         struct err *e) {
    const char *method = http_method(r);
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (reads || !there)
        return err_set(e, ERR_NOT_FOUND, "no %s %.64s within the scope \"%s\"", what, id,
                       http_scope(r));
    err_set(e, ERR_DENIED, "%s %.64s is not within the scope \"%s\"", what, id, http_scope(r));
    return err_hint(e, "gridctl %s list shows what is", what);
}

static bool check_agent(struct http_request *r, const char *what, const char *id, struct err *e) {
    struct membership m = {.scope = http_scope(r)};
    struct err ignored;
    char agent_id[WIRE_AGENT_ID_SIZE];
    size_t length = strcspn(id, "~/"); /* "agent-1~0" is a node */
    snprintf(agent_id, sizeof agent_id, "%.*s", (int)(length < sizeof agent_id ? length : 0), id);
    bool there = agents_visit_one(master_of(r)->agents, agent_id, match_agent, &m, &ignored);
    return m.within || refuse_thing(r, what, id, there, e);
}

static bool check_rollout(struct http_request *r, struct err *e) {
    struct membership m = {.scope = http_scope(r)};
    struct err ignored;
    const char *id = http_param(r, "id");
    int64_t number = strncmp(id, "r-", 2) == 0 ? strtoll(id + 2, NULL, 10) : 0;
    bool there =
        rollouts_visit_outline(master_of(r)->rollouts, number, match_rollout, &m, &ignored);
    return m.within || refuse_thing(r, "rollout", id, there, e);
}

bool scope_check(struct http_request *r, struct err *e) {
    if (http_scope(r)[0] == '\0') return true;
    const struct http_route *route = http_matched_route(r);
    switch (scope_of_route(route->method, route->pattern)) {
    case SCOPE_ALL:
    case SCOPE_WITHIN:
        return true;
    case SCOPE_AGENT:
        return check_agent(r, "agent", http_param(r, "id"), e);
    case SCOPE_NODE:
        return check_agent(r, "node", http_param(r, "id"), e);
    case SCOPE_ROLLOUT:
        return check_rollout(r, e);
    default:
        return scope_refuse(r, e);
    }
}
