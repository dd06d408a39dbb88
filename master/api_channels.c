#include "master/api_channels.h"

#include "lib/artifact.h"
#include "lib/json.h"
#include "master/body.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_binary.h"

#include <string.h>

struct channel_order {
    char name[CHANNEL_NAME_SIZE]; /* may be repeated, must agree with the path */
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct channel_order, name, 0),
    J(JSON_STRING, struct channel_order, artifact, 0),
    J(JSON_STRING, struct channel_order, version, JSON_REQUIRED),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct channel_order, order_fields);

struct shown_channels {
    struct agents *agents;
    const char *scope;
    const struct channel *list;
};

static void encode(const void *of, size_t number, struct text *out) {
    const struct shown_channels *shown = of;
    const struct channel *c = &shown->list[number];
    view_channel(c, agents_on_channel(shown->agents, c->name, shown->scope), out);
}

void api_channels_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    struct master *m = master_of(r);
    OWN_MEMORY struct channel *channels = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !channels_list(m->db, &channels, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++)
        listing_add(&listing, channels[i].name, channels[i].artifact);
    const struct shown_channels shown = {m->agents, http_scope(r), channels};
    listing_reply(&listing, r, encode, &shown);
}

static bool read_order(struct http_request *r, const char *name, struct channel_order *out,
                       struct err *e) {
    if (!channel_name_check(name, e) || !body_no_query(r, e) ||
        !body_json(r, &order_schema, out, e))
        return false;
    if (out->name[0] != '\0' && strcmp(out->name, name) != 0)
        return err_set(e, ERR_INVALID, "name %s: the path says %s", out->name, name);
    if (!semver_valid(out->version))
        return err_set(e, ERR_INVALID, "version %s is not MAJOR.MINOR.PATCH[-pre][+build]",
                       out->version);
    return out->artifact[0] != '\0' ||
           text_copy(out->artifact, sizeof out->artifact, ARTIFACT_DEFAULT_NAME);
}

void api_channels_set(struct http_request *r) {
    struct master *m = master_of(r);
    const char *name = http_param(r, "name");
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct channel_order order;
    struct channel set;
    struct err e;
    if (!read_order(r, name, &order, &e) ||
        !channels_set(m->db, name, order.artifact, order.version, http_principal(r), &set, &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    view_channel(&set, agents_on_channel(m->agents, name, ""), &json);
    http_reply_json(r, 200, json.data, json.length);
}
