#include "master/api_tokens.h"

#include "lib/clock.h"
#include "lib/join.h"
#include "lib/text.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct token_order {
    char kind[8];
    int64_t uses, expires_s;
    char *labels;
    char role[16];
    char scope[SCOPE_SIZE];
    bool has_scope;
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct token_order, kind, JSON_REQUIRED),
    J(JSON_INT, struct token_order, uses, 0),
    J(JSON_INT, struct token_order, expires_s, 0),
    J(JSON_LABELS, struct token_order, labels, 0),
    J(JSON_STRING, struct token_order, role, 0),
    J_OPTIONAL(JSON_STRING, struct token_order, scope),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct token_order, order_fields);

struct token_json {
    char id[SECRET_ID_SIZE];
    char kind[8];
    char role[16];
    char scope[SCOPE_SIZE];
    char *labels;
    int64_t uses_left;
    char expires_at[CLOCK_RFC3339_SIZE]; /* "" = never */
    char created_at[CLOCK_RFC3339_SIZE];
    char created_by[64];
    char secret[SECRET_TEXT_SIZE];
    char *join;
};
static const struct json_field token_fields[] = {
    J(JSON_STRING, struct token_json, id, 0),
    J(JSON_STRING, struct token_json, kind, 0),
    J(JSON_STRING, struct token_json, role, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct token_json, scope, JSON_OMIT_EMPTY),
    J(JSON_LABELS, struct token_json, labels, 0),
    J(JSON_INT, struct token_json, uses_left, 0),
    J(JSON_STRING, struct token_json, expires_at, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct token_json, created_at, 0),
    J(JSON_STRING, struct token_json, created_by, 0),
    J(JSON_STRING, struct token_json, secret, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct token_json, join, JSON_OMIT_EMPTY),
};
static const struct json_schema token_schema = JSON_SCHEMA(struct token_json, token_fields);

/* labels stay the token's: the result is never cleared. */
static void describe(const struct token *t, struct token_json *out) {
    *out = (struct token_json){.uses_left = t->uses_left, .labels = t->labels};
    memcpy(out->id, t->id, sizeof out->id);
    memcpy(out->kind, t->kind, sizeof out->kind);
    memcpy(out->role, t->role, sizeof out->role);
    memcpy(out->scope, t->scope, sizeof out->scope);
    memcpy(out->created_by, t->created_by, sizeof out->created_by);
    if (t->expires_at_ms > 0) clock_rfc3339(t->expires_at_ms, out->expires_at);
    clock_rfc3339(t->created_at_ms, out->created_at);
}

/* The host under which the asker reached us: what machines on the same network can use too. */
static void find_host(struct http_request *r, char host[JOIN_HOST_SIZE]) {
    const char *given = http_header(r, "Host");
    int port = 0;
    if (given == NULL || !join_parse_address(given, 0, host, &port, NULL) || *host == '\0')
        snprintf(host, JOIN_HOST_SIZE, "127.0.0.1");
}

static void describe_join(struct http_request *r, const char *secret, struct text *out) {
    const struct master *m = master_of(r);
    struct join join = {.http_port = m->http_port,
                        .downloads_closed = !m->settings->public_downloads,
                        .bus_port = bus_server_port(m->bus),
                        .master_key = *sign_secret_public(keys_master(m->keys)),
                        .release_key = *keys_release(m->keys)};
    repo_root_digest(m->repo, &join.root_version, join.root_sha256);
    if (m->certificates != NULL)
        memcpy(join.ca_sha256, certificates_ca_sha256(m->certificates), sizeof join.ca_sha256);
    find_host(r, join.host);
    memcpy(join.token, secret, sizeof join.token);
    join_format(&join, out);
    secret_wipe(&join, sizeof join);
}

static void reply_created(struct http_request *r, const struct token *t, const char *secret) {
    struct token_json answer;
    OWN_TEXT struct text join = TEXT_SECRET;
    OWN_TEXT struct text json = TEXT_SECRET;
    describe(t, &answer);
    memcpy(answer.secret, secret, sizeof answer.secret);
    if (strcmp(t->kind, "join") == 0) {
        describe_join(r, secret, &join);
        answer.join = join.data;
    }
    json_encode(&token_schema, &answer, &json);
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_json(r, 201, text_value(&json), json.length);
    secret_wipe(&answer, sizeof answer);
}

static bool create(struct http_request *r, struct token *out, char secret[SECRET_TEXT_SIZE],
                   struct err *e) {
    struct token_order order;
    if (!body_no_query(r, e) || !body_json(r, &order_schema, &order, e)) return false;
    const struct token_request request = {.kind = order.kind,
                                          .role = order.role,
                                          .scope = order.has_scope ? order.scope : NULL,
                                          .labels = order.labels,
                                          .uses = order.uses,
                                          .expires_s = order.expires_s,
                                          .principal = http_principal(r),
                                          .principal_role = http_principal_role(r),
                                          .principal_scope = http_scope(r)};
    bool created = tokens_create(master_of(r)->db, &request, clock_wall_ms(), out, secret, e);
    json_clear(&order_schema, &order);
    return created;
}

void api_tokens_create(struct http_request *r) {
    char secret[SECRET_TEXT_SIZE];
    struct token token;
    struct err e;
    if (!create(r, &token, secret, &e)) {
        http_reply_err(r, &e);
        return;
    }
    events_announce(master_of(r)->events);
    reply_created(r, &token, secret);
    secret_wipe(secret, sizeof secret);
    token_clear(&token);
}

static const char *const sort_names[] = {"created_at", "id", NULL};
enum { SORT_CREATED, SORT_ID };

static void encode(const void *tokens, size_t number, struct text *out) {
    struct token_json shown;
    describe((const struct token *)tokens + number, &shown);
    json_encode(&token_schema, &shown, out);
}

static void reply_page(struct http_request *r, const struct token *tokens, size_t count) {
    static const char *const allowed[] = {"sort", "limit", "cursor", NULL};
    OWN_LISTING struct listing listing = {0};
    size_t sort = SORT_CREATED;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !listing_sort(r, sort_names, &listing, &sort, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char key[24] = "";
        if (!scope_covers(http_scope(r), tokens[i].scope)) continue;
        if (sort == SORT_CREATED) snprintf(key, sizeof key, "%020" PRId64, tokens[i].created_at_ms);
        listing_add_number(&listing, key, tokens[i].id, i);
    }
    http_reply_header(r, "Cache-Control", "no-store"); /* who may do what stays in no cache */
    listing_reply(&listing, r, encode, tokens);
}

void api_tokens_list(struct http_request *r) {
    struct token *tokens = NULL;
    size_t count = 0;
    struct err e;
    if (tokens_list(master_of(r)->db, &tokens, &count, &e))
        reply_page(r, tokens, count);
    else
        http_reply_err(r, &e);
    tokens_list_free(tokens, count);
}

void api_tokens_revoke(struct http_request *r) {
    struct events *events = master_of(r)->events;
    const char *id = http_param(r, "id");
    char principal[64];
    struct err e;
    if (!body_no_query(r, &e) || !tokens_revoke(master_of(r)->db, id, http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    snprintf(principal, sizeof principal, "token:%.32s", id);
    events_dismiss(events, principal);
    events_announce(events);
    http_reply_empty(r, 204);
}
