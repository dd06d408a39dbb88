#include "master/api_floors.h"

#include "lib/clock.h"
#include "master/body.h"
#include "master/floors.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"

#include <string.h>

struct floor_order {
    char version[SEMVER_SIZE];
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct floor_order, version, JSON_REQUIRED),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct floor_order, order_fields);

struct floor_json {
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    char set_at[CLOCK_RFC3339_SIZE];
};
static const struct json_field floor_fields[] = {
    J(JSON_STRING, struct floor_json, name, 0),
    J(JSON_STRING, struct floor_json, version, 0),
    J(JSON_STRING, struct floor_json, set_at, 0),
};
static const struct json_schema floor_schema = JSON_SCHEMA(struct floor_json, floor_fields);

static void encode(const struct floor *f, struct text *out) {
    struct floor_json j;
    memcpy(j.name, f->artifact, sizeof j.name);
    memcpy(j.version, f->version, sizeof j.version);
    clock_rfc3339(f->at_ms, j.set_at);
    json_encode(&floor_schema, &j, out);
}

static void encode_listed(const void *floors, size_t number, struct text *out) {
    encode((const struct floor *)floors + number, out);
}

void api_floors_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    OWN_MEMORY struct floor *floors = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !floors_list(master_of(r)->db, &floors, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) listing_add(&listing, "", floors[i].artifact);
    listing_reply(&listing, r, encode_listed, floors);
}

void api_floors_set(struct http_request *r) {
    struct master *m = master_of(r);
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct floor_order order;
    struct floor set;
    struct err e;
    if (!body_no_query(r, &e) || !body_json(r, &order_schema, &order, &e) ||
        !floors_set(m->db, m->repo, http_param(r, "name"), order.version, http_principal(r), &set,
                    &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    encode(&set, &json);
    http_reply_json(r, 200, json.data, json.length);
}

void api_floors_remove(struct http_request *r) {
    struct master *m = master_of(r);
    struct err e;
    if (!body_no_query(r, &e) ||
        !floors_remove(m->db, m->repo, http_param(r, "name"), http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    http_reply_empty(r, 204);
}
