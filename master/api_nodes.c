#include "lib/http_server.h"
#include "lib/labels.h"
#include "master/api_agents.h"
#include "master/api_logs.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_agent.h"

#include <stdio.h>
#include <string.h>

struct node_filter {
    const char *state, *agent, *version, *scope;
    size_t sort;
    struct listing *listing;
};

static const char *const sort_names[] = {"id", "state", "version", NULL};
enum { SORT_ID, SORT_STATE, SORT_VERSION };

static bool known_state(const char *state) {
    for (size_t i = 0; i < AGENTS_NODE_STATES; i++)
        if (strcmp(state, agents_node_states[i]) == 0) return true;
    return false;
}

static bool collect_nodes(const struct agent_view *v, void *argument) {
    struct node_filter *f = argument;
    if (!listing_agrees(f->agent, v->id) || !labels_match(v->labels, f->scope)) return true;
    for (size_t i = 0; i < v->report.nodes_count; i++) {
        const struct wire_node *n = &v->report.nodes[i];
        const char *state = view_node_state(v, n);
        if (listing_agrees(f->state, state) && listing_agrees(f->version, n->version))
            listing_add(f->listing,
                        f->sort == SORT_STATE     ? state
                        : f->sort == SORT_VERSION ? n->version
                                                  : "",
                        n->id);
    }
    return true;
}

/* "agent-1~0" in URLs, so that no slash needs escaping. */
static void read_node_id(const char *given, char agent_id[WIRE_AGENT_ID_SIZE],
                         char node_id[WIRE_NODE_ID_SIZE]) {
    snprintf(node_id, WIRE_NODE_ID_SIZE, "%.*s", WIRE_NODE_ID_SIZE - 1, given);
    char *separator = strrchr(node_id, '~');
    if (separator != NULL) *separator = '/';
    size_t length = strcspn(node_id, "/");
    snprintf(agent_id, WIRE_AGENT_ID_SIZE, "%.*s", (int)(length < WIRE_AGENT_ID_SIZE ? length : 0),
             node_id);
}

struct one_node {
    const char *id;
    struct text *out;
    bool found;
};

static bool encode_node(const struct agent_view *v, void *argument) {
    struct one_node *one = argument;
    for (size_t i = 0; i < v->report.nodes_count; i++) {
        if (strcmp(v->report.nodes[i].id, one->id) != 0) continue;
        one->found = true;
        if (one->out->length > 1) text_add(one->out, ",");
        view_node(v, &v->report.nodes[i], one->out);
    }
    return true;
}

static bool find_node(struct http_request *r, const char *agent_id, const char *node_id,
                      struct text *out, struct err *e) {
    struct one_node one = {.id = node_id, .out = out};
    struct err why;
    if (agents_visit_one(master_of(r)->agents, agent_id, encode_node, &one, &why) && one.found)
        return true;
    err_set(e, ERR_NOT_FOUND, "no node %s", node_id);
    return err_hint(e, "gridctl node list shows the nodes");
}

static bool read_filter(struct http_request *r, struct node_filter *f, struct err *e) {
    static const char *const allowed[] = {"state", "agent",  "version", "sort",
                                          "limit", "cursor", NULL};
    if (!http_query_only(r, allowed, e) || !listing_sort(r, sort_names, f->listing, &f->sort, e))
        return false;
    f->state = http_query(r, "state");
    f->agent = http_query(r, "agent");
    f->version = http_query(r, "version");
    f->scope = http_scope(r);
    if (f->state == NULL || known_state(f->state)) return true;
    return err_set(e, ERR_INVALID,
                   "state=%s: one of starting, healthy, unhealthy, backoff, stopped, draining",
                   f->state);
}

void api_nodes_list(struct http_request *r) {
    OWN_LISTING struct listing listing = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct node_filter filter = {.listing = &listing};
    struct err e;
    size_t first = 0, end = 0;
    if (!read_filter(r, &filter, &e)) {
        http_reply_err(r, &e);
        return;
    }
    agents_visit(master_of(r)->agents, collect_nodes, &filter);
    if (!listing_page(&listing, r, &first, &end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    text_add(&json, "[");
    for (size_t i = first; i < end; i++) {
        char agent_id[WIRE_AGENT_ID_SIZE], node_id[WIRE_NODE_ID_SIZE];
        read_node_id(listing.items[i].id, agent_id, node_id);
        if (!find_node(r, agent_id, node_id, &json, &e)) continue; /* gone since it was collected */
    }
    text_add(&json, "]");
    http_reply_json_etag(r, text_value(&json), json.length);
}

void api_nodes_get(struct http_request *r) {
    char agent_id[WIRE_AGENT_ID_SIZE], node_id[WIRE_NODE_ID_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    read_node_id(http_param(r, "id"), agent_id, node_id);
    if (body_no_query(r, &e) && find_node(r, agent_id, node_id, &json, &e))
        http_reply_json_etag(r, text_value(&json), json.length);
    else
        http_reply_err(r, &e);
}

void api_nodes_restart(struct http_request *r) {
    char agent_id[WIRE_AGENT_ID_SIZE], node_id[WIRE_NODE_ID_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    read_node_id(http_param(r, "id"), agent_id, node_id);
    if (body_no_query(r, &e) && find_node(r, agent_id, node_id, &json, &e) &&
        agents_restart_node(master_of(r)->agents, node_id, http_principal(r), &e))
        http_reply_json(r, 202, text_value(&json), json.length);
    else
        http_reply_err(r, &e);
}

void api_nodes_logs(struct http_request *r) {
    char agent_id[WIRE_AGENT_ID_SIZE], node_id[WIRE_NODE_ID_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    read_node_id(http_param(r, "id"), agent_id, node_id);
    if (find_node(r, agent_id, node_id, &json, &e))
        api_logs_reply(r, agent_id, node_id);
    else
        http_reply_err(r, &e);
}
