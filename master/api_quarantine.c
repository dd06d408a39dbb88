#include "master/api_quarantine.h"

#include "lib/clock.h"
#include "master/body.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/quarantine.h"
#include "master/scope_check.h"
#include "master/view_rollout.h"

#include <string.h>

struct quarantined_json {
    char digest[SHA256_HEX_SIZE];
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    char rollout[WIRE_ROLLOUT_ID_SIZE];
    char reason[384];
    char created_at[CLOCK_RFC3339_SIZE];
};
static const struct json_field quarantined_fields[] = {
    J(JSON_STRING, struct quarantined_json, digest, 0),
    J(JSON_STRING, struct quarantined_json, name, 0),
    J(JSON_STRING, struct quarantined_json, version, 0),
    J(JSON_STRING, struct quarantined_json, rollout, 0),
    J(JSON_STRING, struct quarantined_json, reason, 0),
    J(JSON_STRING, struct quarantined_json, created_at, 0),
};
static const struct json_schema quarantined_schema =
    JSON_SCHEMA(struct quarantined_json, quarantined_fields);

struct shown_quarantine {
    struct rollouts *rollouts;
    const char *scope;
    const struct quarantined *list;
};

/* The rollout and the reason, which names a machine, are for those who may see that rollout. */
static void encode(const void *of, size_t number, struct text *out) {
    const struct shown_quarantine *shown = of;
    const struct quarantined *q = &shown->list[number];
    struct quarantined_json j = {.reason = "it failed outside the scope"};
    memcpy(j.digest, q->sha256, sizeof j.digest);
    memcpy(j.name, q->artifact, sizeof j.name);
    memcpy(j.version, q->version, sizeof j.version);
    if (scope_has_rollout(shown->rollouts, q->rollout, shown->scope)) {
        memcpy(j.reason, q->reason, sizeof j.reason);
        view_rollout_id(q->rollout, j.rollout);
    }
    clock_rfc3339(q->at_ms, j.created_at);
    json_encode(&quarantined_schema, &j, out);
}

void api_quarantine_list(struct http_request *r) {
    static const char *const allowed[] = {"name", "version", "limit", "cursor", NULL};
    OWN_MEMORY struct quarantined *list = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !quarantine_list(master_of(r)->db, &list, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (listing_agrees(http_query(r, "name"), list[i].artifact) &&
            listing_agrees(http_query(r, "version"), list[i].version))
            listing_add_number(&listing, list[i].artifact, list[i].sha256, i);
    const struct shown_quarantine shown = {master_of(r)->rollouts, http_scope(r), list};
    listing_reply(&listing, r, encode, &shown);
}

void api_quarantine_get(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct quarantined found;
    struct err e;
    if (!body_no_query(r, &e) ||
        !quarantine_find(master_of(r)->db, http_param(r, "digest"), &found, &e)) {
        http_reply_err(r, &e);
        return;
    }
    const struct shown_quarantine shown = {master_of(r)->rollouts, http_scope(r), &found};
    encode(&shown, 0, &json);
    http_reply_json_etag(r, json.data, json.length);
}

void api_quarantine_lift(struct http_request *r) {
    struct master *m = master_of(r);
    struct err e;
    if (!body_no_query(r, &e) ||
        !quarantine_lift(m->db, http_param(r, "digest"), http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    http_reply_empty(r, 204);
}
