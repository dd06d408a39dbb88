#include "master/api_agents.h"

#include "lib/clock.h"
#include "lib/labels.h"
#include "lib/platform.h"
#include "master/api_logs.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_agent.h"
#include "master/view_why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct agent_filter {
    const char *status, *mode, *version, *platform, *arch, *channel, *label, *scope;
    size_t sort; /* index in sort_names */
    struct listing *listing;
};

static const char *const sort_names[] = {"id", "last_seen_at", "version", NULL};
enum { SORT_ID, SORT_LAST_SEEN, SORT_VERSION };

static bool known_status(const char *name) {
    for (int status = 0; status < AGENT_STATUS_COUNT; status++)
        if (strcmp(name, agent_status_name((enum agent_status)status)) == 0) return true;
    return false;
}

static bool read_filter(struct http_request *r, struct agent_filter *f, struct err *e) {
    static const char *const allowed[] = {"status", "mode",    "version", "platform",
                                          "arch",   "channel", "label",   "sort",
                                          "limit",  "cursor",  NULL};
    if (!http_query_only(r, allowed, e) || !listing_sort(r, sort_names, f->listing, &f->sort, e))
        return false;
    f->status = http_query(r, "status");
    f->mode = http_query(r, "mode");
    f->version = http_query(r, "version");
    f->channel = http_query(r, "channel");
    f->label = http_query(r, "label");
    f->scope = http_scope(r);
    const char *platform = http_query(r, "platform"), *arch = http_query(r, "arch");
    f->platform = platform != NULL ? platform_canonical(platform) : NULL;
    f->arch = arch != NULL ? platform_arch_canonical(arch) : NULL;
    if (f->status != NULL && !known_status(f->status))
        return err_set(e, ERR_INVALID, "status=%s: one of pending, up, suspect, lost, revoked",
                       f->status);
    if (f->mode != NULL && strcmp(f->mode, "active") != 0 && strcmp(f->mode, "draining") != 0)
        return err_set(e, ERR_INVALID, "mode=%s: active or draining", f->mode);
    if (platform != NULL && f->platform == NULL)
        return err_set(e, ERR_INVALID, "platform=%s: one of %s", platform, platform_names());
    if (arch != NULL && f->arch == NULL)
        return err_set(e, ERR_INVALID, "arch=%s: one of %s", arch, platform_arch_names());
    return f->label == NULL || labels_selector_check(f->label, e);
}

static bool collect_agent(const struct agent_view *v, void *argument) {
    struct agent_filter *f = argument;
    char key[WIRE_NODE_ID_SIZE] = "";
    if (!listing_agrees(f->status, agent_status_name(v->status)) ||
        !listing_agrees(f->mode, v->mode) || !listing_agrees(f->version, v->report.version) ||
        !listing_agrees(f->channel, v->channel) || !listing_agrees(f->platform, v->platform) ||
        !listing_agrees(f->arch, v->arch) ||
        (f->label != NULL && !labels_match(v->labels, f->label)) ||
        !labels_match(v->labels, f->scope))
        return true;
    if (f->sort == SORT_LAST_SEEN)
        snprintf(key, sizeof key, "%020" PRId64, v->last_seen_at_ms);
    else if (f->sort == SORT_VERSION)
        snprintf(key, sizeof key, "%s", v->report.version);
    listing_add(f->listing, key, v->id);
    return true;
}

/* Versions in their own order; "" (nothing runs yet) before all. */
static int compare_versions(const char *a, const char *b) {
    if (*a == '\0' || *b == '\0') return (*a != '\0') - (*b != '\0');
    return semver_order(a, b);
}

/* Agents of a page, which are told of in turns: who reports waits for no more than one of these. */
#define AGENTS_PER_TURN 32

struct agent_page {
    struct agents *agents;
    const struct listing *listing;
    size_t next, end; /* items of the list */
    struct text json;
    const char *separator; /* in front of the next agent */
};

static bool encode_agent(const struct agent_view *v, void *argument) {
    struct agent_page *page = argument;
    text_add(&page->json, page->separator);
    page->separator = ",";
    view_agent(v, &page->json);
    return true;
}

/* What was removed since it was collected is left out. */
static void encode_turn(struct agent_page *page) {
    const char *ids[AGENTS_PER_TURN];
    size_t count = 0;
    while (count < AGENTS_PER_TURN && page->next < page->end)
        ids[count++] = page->listing->items[page->next++].id;
    agents_visit_these(page->agents, ids, count, encode_agent, page);
}

static void reply_whole(struct http_request *r, struct agent_page *page) {
    text_add(&page->json, "[");
    while (page->next < page->end) encode_turn(page);
    text_add(&page->json, "]");
    http_reply_json_etag(r, text_value(&page->json), page->json.length);
}

/* Among this many, one has always reported since: nobody would ever get a 304. So what is written
 * goes out at once, in pieces of about this size, and the client reads while the rest is written.
 */
#define STREAMED_AGENTS 1000
#define PIECE_BYTES (128 * 1024)

static void reply_streamed(struct http_request *r, struct agent_page *page) {
    bool sent = http_stream_begin(r, 200, "application/json", -1);
    text_add(&page->json, "[");
    while (sent && page->next < page->end) {
        encode_turn(page);
        if (page->json.length < PIECE_BYTES) continue;
        sent = http_stream_write(r, page->json.data, page->json.length);
        text_clear(&page->json);
    }
    text_add(&page->json, "]");
    if (sent) (void)!http_stream_write(r, page->json.data, page->json.length);
    http_stream_end(r);
}

void api_agents_list(struct http_request *r) {
    OWN_LISTING struct listing listing = {0};
    struct agent_page page = {.agents = master_of(r)->agents, .listing = &listing, .separator = ""};
    struct agent_filter filter = {.listing = &listing};
    struct err e;
    if (!read_filter(r, &filter, &e)) {
        http_reply_err(r, &e);
        return;
    }
    listing.compare = filter.sort == SORT_VERSION ? compare_versions : NULL;
    agents_visit(page.agents, collect_agent, &filter);
    if (!listing_page(&listing, r, &page.next, &page.end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    if (page.end - page.next < STREAMED_AGENTS)
        reply_whole(r, &page);
    else
        reply_streamed(r, &page);
    text_fini(&page.json);
}

struct one_agent {
    struct text json;
    char tag[AGENT_TAG_SIZE];
};

static bool encode_only(const struct agent_view *v, void *argument) {
    struct one_agent *one = argument;
    view_agent(v, &one->json);
    agent_tag(v, one->tag);
    return true;
}

/* The ETag is of what PATCH changes: what heartbeats bring would make every If-Match fail. */
static void reply_agent(struct http_request *r, const char *id) {
    struct one_agent one = {.json = TEXT_EMPTY};
    char quoted[AGENT_TAG_SIZE + 2];
    struct err e;
    if (agents_visit_one(master_of(r)->agents, id, encode_only, &one, &e)) {
        snprintf(quoted, sizeof quoted, "\"%s\"", one.tag);
        http_reply_header(r, "ETag", quoted);
        http_reply_json(r, 200, text_value(&one.json), one.json.length);
    } else {
        http_reply_err(r, &e);
    }
    text_fini(&one.json);
}

/* The agent as it is after a change, or why there was none. */
static void reply_changed(struct http_request *r, bool changed, const struct err *e) {
    events_announce(master_of(r)->events);
    if (changed)
        reply_agent(r, http_param(r, "id"));
    else
        http_reply_err(r, e);
}

void api_agents_get(struct http_request *r) {
    struct err e;
    if (body_no_query(r, &e))
        reply_agent(r, http_param(r, "id"));
    else
        http_reply_err(r, &e);
}

struct agent_patch {
    char *labels; /* lines of changes */
    char channel[CHANNEL_NAME_SIZE];
    char pin[SEMVER_SIZE]; /* "" and null: none */
    char mode[16];
    bool has_labels, has_channel, has_pin, has_mode;
};
static const struct json_field patch_fields[] = {
    J_OPTIONAL(JSON_LABEL_CHANGES, struct agent_patch, labels),
    J_OPTIONAL(JSON_STRING, struct agent_patch, channel),
    J_OPTIONAL(JSON_STRING, struct agent_patch, pin),
    J_OPTIONAL(JSON_STRING, struct agent_patch, mode),
};
static const struct json_schema patch_schema = JSON_SCHEMA(struct agent_patch, patch_fields);

/* If-Match: "TAG", or * for any agent that is there. */
static bool read_tag(struct http_request *r, char out[AGENT_TAG_SIZE], const char **tag,
                     struct err *e) {
    const char *given = http_header(r, "If-Match");
    size_t length = given != NULL ? strlen(given) : 0;
    *tag = NULL;
    if (given == NULL || strcmp(given, "*") == 0) return true;
    if (length < 2 || length - 2 >= AGENT_TAG_SIZE || given[0] != '"' || given[length - 1] != '"')
        return err_set(e, ERR_PRECONDITION, "If-Match %.64s is not the ETag of an agent", given);
    snprintf(out, AGENT_TAG_SIZE, "%.*s", (int)length - 2, given + 1);
    *tag = out;
    return true;
}

static bool check_pin(const char *pin, struct err *e) {
    return pin[0] == '\0' || semver_valid(pin) ||
           err_set(e, ERR_INVALID, "pin %s is not MAJOR.MINOR.PATCH[-pre][+build]", pin);
}

static bool apply_patch(struct http_request *r, const struct agent_patch *p, struct err *e) {
    char tag[AGENT_TAG_SIZE];
    struct agent_change change = {.labels = p->has_labels ? p->labels : NULL,
                                  .channel = p->has_channel ? p->channel : NULL,
                                  .pin = p->has_pin ? p->pin : NULL,
                                  .mode = p->has_mode ? p->mode : NULL};
    return check_pin(p->pin, e) && read_tag(r, tag, &change.tag, e) &&
           agents_change(master_of(r)->agents, http_param(r, "id"), &change, http_principal(r), e);
}

void api_agents_patch(struct http_request *r) {
    struct agent_patch patch = {.labels = NULL};
    struct err e;
    bool changed = body_no_query(r, &e) && body_json(r, &patch_schema, &patch, &e) &&
                   apply_patch(r, &patch, &e);
    json_clear(&patch_schema, &patch);
    reply_changed(r, changed, &e);
}

static bool read_force(struct http_request *r, bool *force, struct err *e) {
    static const char *const allowed[] = {"force", NULL};
    const char *given = http_query(r, "force");
    *force = given != NULL && strcmp(given, "true") == 0;
    if (!http_query_only(r, allowed, e)) return false;
    return given == NULL || *force || strcmp(given, "false") == 0 ||
           err_set(e, ERR_INVALID, "force=%.32s: true or false", given);
}

void api_agents_delete(struct http_request *r) {
    bool force = false;
    struct err e;
    if (read_force(r, &force, &e) &&
        agents_remove(master_of(r)->agents, http_param(r, "id"), force, http_principal(r), &e))
        http_reply_empty(r, 204);
    else
        http_reply_err(r, &e);
}

void api_agents_approve(struct http_request *r) {
    struct err e;
    bool changed = body_no_query(r, &e) &&
                   agents_approve(master_of(r)->agents, http_param(r, "id"), http_principal(r), &e);
    reply_changed(r, changed, &e);
}

void api_agents_revoke(struct http_request *r) {
    struct err e;
    bool changed = body_no_query(r, &e) &&
                   agents_revoke(master_of(r)->agents, http_param(r, "id"), http_principal(r), &e);
    reply_changed(r, changed, &e);
}

static void set_mode(struct http_request *r, const char *mode) {
    struct err e;
    bool changed =
        body_no_query(r, &e) &&
        agents_set_mode(master_of(r)->agents, http_param(r, "id"), mode, http_principal(r), &e);
    reply_changed(r, changed, &e);
}

void api_agents_drain(struct http_request *r) {
    set_mode(r, "draining");
}

void api_agents_resume(struct http_request *r) {
    set_mode(r, "active");
}

struct why_question {
    const char *id;
    struct why_subject storage_server, grid_agent;
    struct text *json;
};

/* The newest of each artifact. */
static bool find_rollout(const struct rollout_view *v, void *argument) {
    struct why_question *q = argument;
    bool own = strcmp(v->request->name, ARTIFACT_AGENT_NAME) == 0;
    struct why_rollout *found = own ? &q->grid_agent.rollout : &q->storage_server.rollout;
    if (found->number == 0) (void)view_why_rollout(v, q->id, found);
    return true;
}

static bool encode_why(const struct agent_view *v, void *argument) {
    const struct why_question *q = argument;
    view_why(v, &q->storage_server, &q->grid_agent, q->json);
    return true;
}

static bool choose(struct agents *a, struct why_question *q, struct err *e) {
    return agents_why(a, q->id, ARTIFACT_DEFAULT_NAME, &q->storage_server.choice, e) &&
           agents_why(a, q->id, ARTIFACT_AGENT_NAME, &q->grid_agent.choice, e);
}

void api_agents_why(struct http_request *r) {
    struct master *m = master_of(r);
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct why_question question = {.id = http_param(r, "id"), .json = &json};
    struct err e;
    bool chosen = body_no_query(r, &e) && choose(m->agents, &question, &e);
    if (chosen) rollouts_visit_live(m->rollouts, find_rollout, &question);
    if (chosen && agents_visit_one(m->agents, question.id, encode_why, &question, &e))
        http_reply_json(r, 200, text_value(&json), json.length);
    else
        http_reply_err(r, &e);
}

void api_agents_logs(struct http_request *r) {
    api_logs_reply(r, http_param(r, "id"), "");
}
