#include "master/api_users.h"

#include "lib/clock.h"
#include "lib/text.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"

#include <stdio.h>

struct invite_order {
    char name[USER_NAME_SIZE];
    char role[16];
    char scope[SCOPE_SIZE];
    bool has_scope;
    int64_t expires_s;
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct invite_order, name, JSON_REQUIRED),
    J(JSON_STRING, struct invite_order, role, JSON_REQUIRED),
    J_OPTIONAL(JSON_STRING, struct invite_order, scope),
    J(JSON_INT, struct invite_order, expires_s, 0),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct invite_order, order_fields);

struct user_json {
    char name[USER_NAME_SIZE];
    char role[16];
    char scope[SCOPE_SIZE];
    char created_at[CLOCK_RFC3339_SIZE];
    char created_by[64];
    char expires_at[CLOCK_RFC3339_SIZE]; /* of an invitation */
    char invitation[SECRET_TEXT_SIZE];   /* once */
    char link[512];
};
static const struct json_field user_fields[] = {
    J(JSON_STRING, struct user_json, name, 0),
    J(JSON_STRING, struct user_json, role, 0),
    J(JSON_STRING, struct user_json, scope, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct user_json, created_at, 0),
    J(JSON_STRING, struct user_json, created_by, 0),
    J(JSON_STRING, struct user_json, expires_at, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct user_json, invitation, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct user_json, link, JSON_OMIT_EMPTY),
};
static const struct json_schema user_schema = JSON_SCHEMA(struct user_json, user_fields);

static void describe(const struct user *u, struct user_json *out) {
    *out = (struct user_json){.scope = ""};
    snprintf(out->name, sizeof out->name, "%s", u->name);
    snprintf(out->role, sizeof out->role, "%s", u->role);
    snprintf(out->scope, sizeof out->scope, "%s", u->scope);
    snprintf(out->created_by, sizeof out->created_by, "%s", u->created_by);
    clock_rfc3339(u->created_at_ms, out->created_at);
    if (u->expires_at_ms > 0) clock_rfc3339(u->expires_at_ms, out->expires_at);
}

static void encode(const void *list, size_t number, struct text *out) {
    struct user_json shown;
    describe((const struct user *)list + number, &shown);
    json_encode(&user_schema, &shown, out);
}

/* Users, then invitations, each by name; several invitations may have the same, or none yet. */
void api_users_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    OWN_MEMORY struct user *users = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !users_list(master_of(r)->db, &users, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct user *u = &users[i];
        char key[2 + USER_NAME_SIZE];
        snprintf(key, sizeof key, "%d %s", u->expires_at_ms > 0, u->name);
        listing_add(&listing, key, u->expires_at_ms > 0 ? u->invitation : u->name);
    }
    listing_reply(&listing, r, encode, users);
}

/* The secret stands behind the '#': browsers never send that, so no log on the way has it. */
static void reply_invited(struct http_request *r, const struct user *user, const char *secret) {
    struct user_json shown;
    OWN_TEXT struct text json = TEXT_SECRET;
    const char *host = http_header(r, "Host");
    describe(user, &shown);
    snprintf(shown.invitation, sizeof shown.invitation, "%s", secret);
    snprintf(shown.link, sizeof shown.link, "%s://%.300s/#/setup?invitation=%s",
             http_is_secure(r) ? "https" : "http", host != NULL ? host : "localhost", secret);
    json_encode(&user_schema, &shown, &json);
    http_reply_json(r, 201, json.data, json.length);
    secret_wipe(&shown, sizeof shown);
}

void api_users_invite(struct http_request *r) {
    struct invite_order order;
    struct user user;
    char secret[SECRET_TEXT_SIZE];
    struct err e;
    if (!body_no_query(r, &e) || !body_json(r, &order_schema, &order, &e)) {
        http_reply_err(r, &e);
        return;
    }
    const struct invitation_request request = {.name = order.name,
                                               .role = order.role,
                                               .scope = order.has_scope ? order.scope : NULL,
                                               .expires_s = order.expires_s,
                                               .principal = http_principal(r),
                                               .principal_role = http_principal_role(r),
                                               .principal_scope = http_scope(r)};
    if (!users_invite(master_of(r)->db, &request, clock_wall_ms(), &user, secret, &e)) {
        http_reply_err(r, &e);
        return;
    }
    events_announce(master_of(r)->events);
    reply_invited(r, &user, secret);
    secret_wipe(secret, sizeof secret);
}

void api_users_remove(struct http_request *r) {
    struct err e;
    if (!body_no_query(r, &e) ||
        !users_remove(master_of(r)->db, http_param(r, "name"), http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    events_announce(master_of(r)->events);
    http_reply_empty(r, 204);
}
