#include "master/api_trust.h"

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/json_canonical.h"
#include "lib/labels.h"
#include "master/body.h"
#include "master/follow_up.h"
#include "master/master.h"
#include "master/view_trust.h"

#include <inttypes.h>
#include <string.h>

#define WITHOUT_ROOT_MAX 100

struct asking {
    struct trust_view *view;
    const char *scope;
};

static bool add_without_root(const struct agent_view *agent, void *argument) {
    const struct asking *asking = argument;
    struct trust_view *v = asking->view;
    if (!labels_match(agent->labels, asking->scope)) return true;
    if (agent->admission != ADMISSION_ADMITTED || agent->report.trust.root > 0) return true;
    if (v->without_root_count++ < WITHOUT_ROOT_MAX)
        text_add_format(&v->without_root, "%s%s", v->without_root.length > 0 ? "\n" : "",
                        agent->id);
    return true;
}

/* Of the agents it names those within the scope. */
static bool look(struct master *m, const char *scope, struct trust_view *out, struct err *e) {
    struct asking asking = {out, scope};
    *out = (struct trust_view){0};
    repo_status(m->repo, &out->status);
    if (!repo_root(m->repo, &out->root, e)) return false;
    if (!held_count(m->db, &out->held, e)) {
        tuf_root_clear(&out->root);
        return false;
    }
    agents_visit(m->agents, add_without_root, &asking);
    return true;
}

static void reply(struct http_request *r) {
    struct master *m = master_of(r);
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct trust_view view;
    struct err e;
    if (!look(m, http_scope(r), &view, &e)) {
        http_reply_err(r, &e);
        return;
    }
    view_trust(&view, m->repo, &json);
    trust_view_clear(&view);
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_json(r, 200, json.data, json.length);
}

void api_trust_get(struct http_request *r) {
    struct err e;
    if (body_no_query(r, &e))
        reply(r);
    else
        http_reply_err(r, &e);
}

/* A root alone, or with targets. */
static bool read_root(const struct text *body, struct repo_input *root, struct repo_input *targets,
                      bool *both, struct err *e) {
    const char *ignored;
    size_t length = 0;
    struct err why;
    *both = false;
    if (json_member(text_value(body), body->length, "signed", &ignored, &length, &why)) {
        *root = (struct repo_input){body->data, body->length};
        return true;
    }
    *both = true;
    if (json_member(text_value(body), body->length, "root", &root->bytes, &root->length, e) &&
        json_member(text_value(body), body->length, "targets", &targets->bytes, &targets->length,
                    e))
        return true;
    return err_hint(e, "root metadata, or {\"root\":...,\"targets\":...}");
}

/* Agents of before TUF that know no root yet can only be told by the release key, which goes. */
static bool check_agents(struct http_request *r, const struct repo_input *root, struct err *e) {
    struct master *m = master_of(r);
    struct trust_view view = {.held = 0};
    struct asking asking = {&view, ""};
    bool leaves = false;
    int64_t abandon = 0;
    if (!http_query_int(r, "abandon", 0, 1, 0, &abandon, e) ||
        !repo_root_leaves(m->repo, root, &leaves, e))
        return false;
    if (!leaves || abandon != 0 || !keys_release_here(m->keys)) return true;
    agents_visit(m->agents, add_without_root, &asking);
    int64_t count = view.without_root_count;
    text_fini(&view.without_root);
    if (count == 0) return true;
    err_set(e, ERR_CONFLICT,
            "%" PRId64 " agents have not reported a trusted root yet: without the"
            " release key they cannot be given one any more",
            count);
    return err_hint(e, "update them or wait for them (GET /api/trust names them), or give them up: "
                       "?abandon=1");
}

static void finish(struct http_request *r, bool done, const struct err *e) {
    struct master *m = master_of(r);
    if (!done) {
        http_reply_err(r, e);
        return;
    }
    intake_wake(m->intake); /* what was held may be published now, and the other way round */
    follow_up(m->agents, m->events);
    reply(r);
}

static bool take_root(struct http_request *r, struct err *e) {
    static const char *const allowed[] = {"abandon", NULL};
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct repo_input root = {0}, targets = {0};
    bool both = false;
    return http_query_only(r, allowed, e) && body_text(r, &body, e) &&
           read_root(&body, &root, &targets, &both, e) && check_agents(r, &root, e) &&
           catalog_accept(master_of(r)->catalog, &root, both ? &targets : NULL, http_principal(r),
                          e);
}

void api_trust_root(struct http_request *r) {
    struct err e = {0};
    bool done = take_root(r, &e);
    finish(r, done, &e);
}

static bool take_targets(struct http_request *r, struct err *e) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    if (!body_no_query(r, e) || !body_text(r, &body, e)) return false;
    const struct repo_input targets = {text_value(&body), body.length};
    return catalog_accept(master_of(r)->catalog, NULL, &targets, http_principal(r), e);
}

void api_trust_targets(struct http_request *r) {
    struct err e = {0};
    bool done = take_targets(r, &e);
    finish(r, done, &e);
}

struct rotate_order {
    char *roles; /* lines */
};
static const struct json_field order_fields[] = {
    J(JSON_STRINGS, struct rotate_order, roles, JSON_REQUIRED),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct rotate_order, order_fields);

static bool parse_roles(char *lines, unsigned *out, struct err *e) {
    char *position = lines;
    *out = 0;
    for (char *name; (name = strsep(&position, "\n")) != NULL;) {
        enum tuf_role_kind role;
        if (*name == '\0') continue;
        if (!tuf_role_parse(name, &role))
            return err_set(e, ERR_INVALID,
                           "roles: %.32s: one of root, targets, snapshot, timestamp", name);
        *out |= 1U << role;
    }
    return *out != 0 || err_set(e, ERR_INVALID,
                                "roles: at least one of root, targets, snapshot, "
                                "timestamp");
}

static bool rotate(struct http_request *r, struct err *e) {
    struct rotate_order order;
    unsigned roles = 0;
    if (!body_no_query(r, e) || !body_json(r, &order_schema, &order, e)) return false;
    bool done = order.roles != NULL ? parse_roles(order.roles, &roles, e)
                                    : err_set(e, ERR_INVALID, "roles: none is named");
    json_clear(&order_schema, &order);
    return done && repo_rotate(master_of(r)->repo, roles, http_principal(r), e);
}

void api_trust_rotate(struct http_request *r) {
    struct err e = {0};
    bool done = rotate(r, &e);
    finish(r, done, &e);
}
