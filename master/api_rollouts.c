#include "master/api_rollouts.h"

#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/scope.h"
#include "master/view_plan.h"
#include "master/view_rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 128 /* characters of an Idempotency-Key */

/* "r-12" as it is written, and in no other way. */
static bool read_id(const char *id, int64_t *number, struct err *e) {
    char written[WIRE_ROLLOUT_ID_SIZE];
    *number = strncmp(id, "r-", 2) == 0 ? strtoll(id + 2, NULL, 10) : 0;
    if (*number > 0 && strcmp(view_rollout_id(*number, written), id) == 0) return true;
    err_set(e, ERR_NOT_FOUND, "no rollout %.64s", id);
    return err_hint(e, "gridctl rollout list shows the rollouts");
}

static bool encode_one(const struct rollout_view *v, void *out) {
    view_rollout(v, out);
    return true;
}

static bool show(struct master *m, int64_t number, struct text *out, struct err *e) {
    return rollouts_visit_outline(m->rollouts, number, encode_one, out, e);
}

struct rollout_filter {
    bool has_state, has_active, active;
    enum rollout_state state;
    const char *name, *version;
    struct listing *listing;
};

static bool refuse_state(const char *given, struct err *e) {
    OWN_TEXT struct text names = TEXT_EMPTY;
    for (int state = 0; state < ROLLOUT_STATE_COUNT; state++)
        text_add_format(&names, "%s%s", state > 0 ? ", " : "",
                        rollout_state_name((enum rollout_state)state));
    return err_set(e, ERR_INVALID, "state=%.32s: one of %s", given, names.data);
}

static bool read_filter(struct http_request *r, struct rollout_filter *f, struct err *e) {
    static const char *const allowed[] = {"state", "active", "name",   "version",
                                          "sort",  "limit",  "cursor", NULL};
    static const char *const sorts[] = {"created_at", NULL};
    size_t sort = 0;
    f->listing->descending = true; /* newest first */
    if (!http_query_only(r, allowed, e) || !listing_sort(r, sorts, f->listing, &sort, e))
        return false;
    const char *state = http_query(r, "state"), *active = http_query(r, "active");
    f->name = http_query(r, "name");
    f->version = http_query(r, "version");
    f->has_state = state != NULL;
    f->has_active = active != NULL;
    f->active = active != NULL && strcmp(active, "true") == 0;
    if (state != NULL && !rollout_state_parse(state, &f->state)) return refuse_state(state, e);
    return active == NULL || f->active || strcmp(active, "false") == 0 ||
           err_set(e, ERR_INVALID, "active=%.32s: true or false", active);
}

static void collect(const struct rollout_heading *h, const struct rollout_filter *f) {
    char key[24], id[WIRE_ROLLOUT_ID_SIZE];
    if ((f->has_state && h->state != f->state) ||
        (f->has_active && rollout_is_active(h->state) != f->active) ||
        !listing_agrees(f->name, h->name) || !listing_agrees(f->version, h->version))
        return;
    snprintf(key, sizeof key, "%020" PRId64, h->number);
    listing_add(f->listing, key, view_rollout_id(h->number, id));
}

struct reach {
    const char *scope;
    bool within;
};

static bool compare_reach(const struct rollout_view *v, void *argument) {
    struct reach *reach = argument;
    reach->within = scope_covers(reach->scope, v->request->selector);
    return true;
}

static bool is_within(struct http_request *r, int64_t number) {
    struct reach reach = {.scope = http_scope(r)};
    struct err ignored;
    return reach.scope[0] == '\0' || (rollouts_visit_outline(master_of(r)->rollouts, number,
                                                             compare_reach, &reach, &ignored) &&
                                      reach.within);
}

void api_rollouts_list(struct http_request *r) {
    struct master *m = master_of(r);
    OWN_LISTING struct listing listing = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct rollout_filter filter = {.listing = &listing};
    OWN_MEMORY struct rollout_heading *headings = NULL;
    size_t count = 0, first = 0, end = 0;
    struct err e;
    bool listed = read_filter(r, &filter, &e) && rollouts_list(m->rollouts, &headings, &count, &e);
    for (size_t i = 0; i < count; i++)
        if (is_within(r, headings[i].number)) collect(&headings[i], &filter);
    if (!listed || !listing_page(&listing, r, &first, &end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    text_add(&json, "[");
    for (size_t i = first; i < end; i++) {
        text_add(&json, i > first ? "," : "");
        if (!show(m, strtoll(listing.items[i].key, NULL, 10), &json, &e)) {
            http_reply_err(r, &e);
            return;
        }
    }
    text_add(&json, "]");
    http_reply_json_etag(r, json.data, json.length);
}

void api_rollouts_get(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    int64_t number = 0;
    struct err e;
    if (body_no_query(r, &e) && read_id(http_param(r, "id"), &number, &e) &&
        show(master_of(r), number, &json, &e))
        http_reply_json_etag(r, json.data, json.length);
    else
        http_reply_err(r, &e);
}

enum { SORT_ID, SORT_STATE, SORT_DOMAIN };

struct member_filter {
    bool has_state;
    enum rollout_member_state state;
    const char *domain;
    size_t sort;
    struct listing *listing;
};

static bool refuse_member_state(const char *given, struct err *e) {
    OWN_TEXT struct text names = TEXT_EMPTY;
    for (int state = 0; state < MEMBER_STATE_COUNT; state++)
        text_add_format(&names, "%s%s", state > 0 ? ", " : "",
                        rollout_member_state_name((enum rollout_member_state)state));
    return err_set(e, ERR_INVALID, "state=%.32s: one of %s", given, names.data);
}

static bool read_member_filter(struct http_request *r, struct member_filter *f, struct err *e) {
    static const char *const allowed[] = {"state", "domain", "sort", "limit", "cursor", NULL};
    static const char *const sorts[] = {"agent_id", "state", "domain", NULL};
    if (!http_query_only(r, allowed, e) || !listing_sort(r, sorts, f->listing, &f->sort, e))
        return false;
    const char *state = http_query(r, "state");
    f->has_state = state != NULL;
    f->domain = http_query(r, "domain");
    return state == NULL || rollout_member_state_parse(state, &f->state) ||
           refuse_member_state(state, e);
}

static bool collect_members(const struct rollout_view *v, void *argument) {
    struct member_filter *f = argument;
    for (size_t i = 0; i < v->rollout->member_count; i++) {
        enum rollout_member_state state = (enum rollout_member_state)v->rollout->members[i].state;
        const char *domain = view_rollout_domain(v, v->rollout->members[i].domain);
        if ((f->has_state && state != f->state) ||
            (f->domain != NULL && strcmp(f->domain, domain) != 0))
            continue;
        listing_add(f->listing,
                    f->sort == SORT_STATE    ? rollout_member_state_name(state)
                    : f->sort == SORT_DOMAIN ? domain
                                             : "",
                    v->agents[i].id);
    }
    return true;
}

struct member_page {
    const struct listing_item *items;
    size_t count;
    struct text *out;
};

static bool encode_members(const struct rollout_view *v, void *argument) {
    const struct member_page *page = argument;
    for (size_t i = 0; i < page->count; i++) {
        size_t member = view_rollout_find(v, page->items[i].id);
        if (member == SIZE_MAX) continue;
        if (page->out->length > 1) text_add(page->out, ",");
        view_rollout_agent(v, member, page->out);
    }
    return true;
}

void api_rollouts_agents(struct http_request *r) {
    struct rollouts *rollouts = master_of(r)->rollouts;
    OWN_LISTING struct listing listing = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct member_filter filter = {.listing = &listing};
    struct member_page page = {.out = &json};
    size_t first = 0, end = 0;
    int64_t number = 0;
    struct err e;
    bool listed = read_id(http_param(r, "id"), &number, &e) && read_member_filter(r, &filter, &e) &&
                  rollouts_visit_one(rollouts, number, collect_members, &filter, &e) &&
                  listing_page(&listing, r, &first, &end, &e);
    text_add(&json, "[");
    if (listed) {
        page.items = listing.items + first;
        page.count = end - first;
        listed = rollouts_visit_one(rollouts, number, encode_members, &page, &e);
    }
    text_add(&json, "]");
    if (listed)
        http_reply_json_etag(r, json.data, json.length);
    else
        http_reply_err(r, &e);
}

/* Whoever has a scope reaches nobody outside of it, whatever the body selects. */
static bool narrow(const struct http_request *r, struct rollout_request *request, struct err *e) {
    OWN_TEXT struct text both = TEXT_EMPTY;
    if (http_scope(r)[0] == '\0') return true;
    scope_and(http_scope(r), request->selector, &both);
    if (text_copy(request->selector, sizeof request->selector, text_value(&both))) return true;
    rollout_request_clear(request);
    return err_set(e, ERR_INVALID, "selector: too long together with the scope");
}

static bool read_request(struct http_request *r, struct rollout_request *out, struct err *e) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    return body_no_query(r, e) && body_text(r, &body, e) &&
           rollout_request_decode(text_value(&body), body.length, out, e) && narrow(r, out, e);
}

struct wider {
    const char *scope;
    int64_t number;
};

static bool find_wider(const struct rollout_view *v, void *argument) {
    struct wider *w = argument;
    bool active = v->finished_at_ms == 0;
    if (active && !scope_covers(w->scope, v->request->selector)) w->number = v->number;
    return w->number == 0;
}

/* To take over would end it for machines outside, too. */
static bool check_supersede(struct http_request *r, const struct rollout_request *request,
                            struct err *e) {
    struct wider w = {.scope = http_scope(r)};
    if (!request->supersede || w.scope[0] == '\0') return true;
    rollouts_visit_live(master_of(r)->rollouts, find_wider, &w);
    if (w.number == 0) return true;
    err_set(e, ERR_DENIED, "supersede: rollout r-%" PRId64 " reaches beyond the scope \"%s\"",
            w.number, w.scope);
    return err_hint(e, "wait until it is over, or ask somebody without a scope");
}

struct planning {
    struct plan_veto *vetoes; /* owned */
    size_t veto_count;
    struct err conflict;
    struct text json;
};

static bool collect_veto(const struct agent_view *v, void *argument) {
    struct planning *p = argument;
    const struct wire_update *u = &v->report.update;
    if (strcmp(u->cause, "veto") != 0) return true;
    p->vetoes = memory_resize(p->vetoes, p->veto_count + 1, sizeof *p->vetoes);
    struct plan_veto *veto = &p->vetoes[p->veto_count++];
    text_cut(veto->agent_id, sizeof veto->agent_id, v->id);
    text_cut(veto->reason, sizeof veto->reason, text_or_empty(u->reason));
    return true;
}

static bool encode_plan(const struct rollout_view *v, void *argument) {
    struct planning *p = argument;
    struct rollout_plan plan;
    rollout_plan_make(&plan, v->rollout, v->domains, v->domain_count);
    view_plan(v, &plan, p->vetoes, p->veto_count, &p->conflict, &p->json);
    rollout_plan_clear(&plan);
    return true;
}

void api_rollouts_plan(struct http_request *r) {
    struct master *m = master_of(r);
    struct planning p = {.json = TEXT_EMPTY};
    struct rollout_request request;
    struct err e;
    if (!read_request(r, &request, &e)) {
        http_reply_err(r, &e);
        return;
    }
    agents_visit(m->agents, collect_veto, &p);
    if (rollouts_plan(m->rollouts, &request, encode_plan, &p, &p.conflict, &e))
        http_reply_json(r, 200, p.json.data, p.json.length);
    else
        http_reply_err(r, &e);
    rollout_request_clear(&request);
    text_fini(&p.json);
    free(p.vetoes);
}

static bool read_key(const struct http_request *r, const char **key, struct err *e) {
    const char *given = http_header(r, "Idempotency-Key");
    *key = given != NULL ? given : "";
    size_t length = strlen(*key);
    bool printable = true;
    for (size_t i = 0; i < length; i++) printable &= (*key)[i] > ' ' && (*key)[i] < 127;
    if (given == NULL || (length > 0 && length <= KEY_MAX && printable)) return true;
    err_set(e, ERR_INVALID, "Idempotency-Key: 1 to %d printable characters without blanks",
            KEY_MAX);
    return err_hint(e, "a random one for each rollout, such as the output of uuidgen");
}

struct comparison {
    const struct rollout_request *request;
    bool same;
};

static bool compare_requests(const struct rollout_view *v, void *argument) {
    struct comparison *c = argument;
    OWN_TEXT struct text before = TEXT_EMPTY, now = TEXT_EMPTY;
    struct rollout_request request = *c->request;
    if (request.topology[0] == '\0') /* was chosen by the labels of then */
        text_cut(request.topology, sizeof request.topology, v->request->topology);
    rollout_request_encode(v->request, &before);
    rollout_request_encode(&request, &now);
    c->same = strcmp(text_value(&before), text_value(&now)) == 0;
    return true;
}

/* A key that is known stands for its first request: another one under it is a mistake. */
static bool check_repetition(struct master *m, int64_t number,
                             const struct rollout_request *request, struct err *e) {
    struct comparison c = {.request = request};
    if (!rollouts_visit_one(m->rollouts, number, compare_requests, &c, e)) return false;
    if (c.same) return true;
    err_set(e, ERR_CONFLICT, "this Idempotency-Key started rollout r-%" PRId64 " by another body",
            number);
    return err_hint(e, "take another key; gridctl rollout status r-%" PRId64 " shows that one",
                    number);
}

static bool start(struct http_request *r, const struct rollout_request *request, int64_t *number,
                  bool *existed, struct err *e) {
    struct master *m = master_of(r);
    const char *key = "";
    if (!check_supersede(r, request, e) || !read_key(r, &key, e) ||
        !rollouts_start(m->rollouts, request, http_principal(r), key, number, existed, e))
        return false;
    return !*existed || check_repetition(m, *number, request, e);
}

void api_rollouts_start(struct http_request *r) {
    struct master *m = master_of(r);
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct rollout_request request;
    char location[sizeof "/api/rollouts/" + WIRE_ROLLOUT_ID_SIZE];
    int64_t number = 0;
    bool existed = false;
    struct err e;
    if (!read_request(r, &request, &e)) {
        http_reply_err(r, &e);
        return;
    }
    bool started = start(r, &request, &number, &existed, &e) && show(m, number, &json, &e);
    rollout_request_clear(&request);
    if (!started) {
        http_reply_err(r, &e);
        return;
    }
    snprintf(location, sizeof location, "/api/rollouts/r-%" PRId64, number);
    http_reply_header(r, "Location", location);
    http_reply_json(r, existed ? 200 : 201, json.data, json.length);
}

static void order(struct http_request *r, enum rollout_event what) {
    struct master *m = master_of(r);
    OWN_TEXT struct text json = TEXT_EMPTY;
    int64_t number = 0;
    struct err e;
    bool done = body_no_query(r, &e) && read_id(http_param(r, "id"), &number, &e) &&
                rollouts_order(m->rollouts, number, what, http_principal(r), &e) &&
                show(m, number, &json, &e);
    if (done)
        http_reply_json(r, 200, json.data, json.length);
    else
        http_reply_err(r, &e);
}

void api_rollouts_pause(struct http_request *r) {
    order(r, ROLLOUT_PAUSE);
}

void api_rollouts_resume(struct http_request *r) {
    order(r, ROLLOUT_RESUME);
}

void api_rollouts_promote(struct http_request *r) {
    order(r, ROLLOUT_PROMOTE);
}

void api_rollouts_stop(struct http_request *r) {
    order(r, ROLLOUT_STOP);
}

void api_rollouts_rollback(struct http_request *r) {
    order(r, ROLLOUT_ROLLBACK);
}
