/* Who may call what: every route with every role, and every kind of token that is none. A real
 * server runs the real table under the real rules; behind it, each handler only says that it was
 * reached. */
#include "lib/http_server.h"
#include "master/api_binaries_internal.h"
#include "master/master.h"
#include "master/scope.h"
#include "tests/unit/lib/http_fixture.h"
#include "tests/unit/master/master_fixture.h"

#define REACHED 200
#define ROLES 5 /* anonymous (as HTTP_PUBLIC), viewer, operator, publisher, admin */

/* A request for each row of the table, in any order, and the least role that it needs. */
static const struct expectation {
    const char *method, *path;
    enum http_role role;
    bool takes_body;
} expectations[] = {
    {"GET",    "/",                                    HTTP_PUBLIC,    false},
    {"GET",    "/healthz",                             HTTP_PUBLIC,    false},
    {"GET",    "/readyz",                              HTTP_PUBLIC,    false},
    {"GET",    "/metrics",                             HTTP_PUBLIC,    false},
    {"GET",    "/install.sh",                          HTTP_PUBLIC,    false},
    {"GET",    "/api/ca.pem",                          HTTP_PUBLIC,    false},
    {"GET",    "/api/openapi.yaml",                    HTTP_PUBLIC,    false},
    {"GET",    "/api/summary",                         HTTP_VIEWER,    false},
    {"GET",    "/api/events",                          HTTP_VIEWER,    false},
    {"WS",     "/api/events/ws",                       HTTP_VIEWER,    false},
    {"GET",    "/api/agents",                          HTTP_VIEWER,    false},
    {"GET",    "/api/agents/a-1",                      HTTP_VIEWER,    false},
    {"PATCH",  "/api/agents/a-1",                      HTTP_OPERATOR,  true },
    {"DELETE", "/api/agents/a-1",                      HTTP_OPERATOR,  false},
    {"POST",   "/api/agents/a-1/approve",              HTTP_OPERATOR,  false},
    {"POST",   "/api/agents/a-1/revoke",               HTTP_OPERATOR,  false},
    {"POST",   "/api/agents/a-1/drain",                HTTP_OPERATOR,  false},
    {"POST",   "/api/agents/a-1/resume",               HTTP_OPERATOR,  false},
    {"GET",    "/api/agents/a-1/why",                  HTTP_VIEWER,    false},
    {"GET",    "/api/agents/a-1/logs",                 HTTP_VIEWER,    false},
    {"GET",    "/api/nodes",                           HTTP_VIEWER,    false},
    {"GET",    "/api/nodes/a-1~0",                     HTTP_VIEWER,    false},
    {"POST",   "/api/nodes/a-1~0/restart",             HTTP_OPERATOR,  false},
    {"GET",    "/api/nodes/a-1~0/logs",                HTTP_VIEWER,    false},
    {"GET",    "/api/doctor",                          HTTP_OPERATOR,  false},
    {"GET",    "/api/tokens",                          HTTP_ADMIN,     false},
    {"POST",   "/api/tokens",                          HTTP_OPERATOR,  true },
    {"DELETE", "/api/tokens/0123456789abcdef",         HTTP_ADMIN,     false},
    {"POST",   "/api/setup",                           HTTP_PUBLIC,    true },
    {"POST",   "/api/login",                           HTTP_PUBLIC,    true },
    {"POST",   "/api/logout",                          HTTP_PUBLIC,    false},
    {"GET",    "/api/me",                              HTTP_VIEWER,    false},
    {"POST",   "/api/events/ticket",                   HTTP_VIEWER,    false},
    {"GET",    "/api/users",                           HTTP_ADMIN,     false},
    {"POST",   "/api/users",                           HTTP_ADMIN,     true },
    {"DELETE", "/api/users/ada",                       HTTP_ADMIN,     false},
    {"GET",    "/binaries/s-1.0.0-linux-x86_64",       HTTP_PUBLIC,    false},
    {"GET",    "/api/binaries",                        HTTP_PUBLIC,    false},
    {"GET",    "/api/binaries/rejected",               HTTP_VIEWER,    false},
    {"GET",    "/api/binaries/held",                   HTTP_VIEWER,    false},
    {"POST",   "/api/binaries/held/s-1/approve",       HTTP_PUBLISHER, false},
    {"DELETE", "/api/binaries/held/s-1",               HTTP_PUBLISHER, false},
    {"GET",    "/tuf/metadata/timestamp.json",         HTTP_PUBLIC,    false},
    {"GET",    "/tuf/targets/00.s-1",                  HTTP_PUBLIC,    false},
    {"GET",    "/api/trust",                           HTTP_VIEWER,    false},
    {"POST",   "/api/trust/root",                      HTTP_ADMIN,     true },
    {"POST",   "/api/trust/targets",                   HTTP_PUBLISHER, true },
    {"POST",   "/api/trust/rotate",                    HTTP_ADMIN,     true },
    {"GET",    "/api/binaries/latest/linux/x86_64",    HTTP_PUBLIC,    false},
    {"GET",    "/api/binaries/1.0.0/linux/x86_64",     HTTP_PUBLIC,    false},
    {"HEAD",   "/api/binaries/1.0.0/linux/x86_64",     HTTP_PUBLIC,    false},
    {"PUT",    "/api/binaries/1.0.0/linux/x86_64",     HTTP_PUBLISHER, true },
    {"DELETE", "/api/binaries/1.0.0/linux/x86_64",     HTTP_PUBLISHER, false},
    {"POST",   "/api/binaries/1.0.0/linux/any/verify", HTTP_PUBLIC,    true },
    {"POST",   "/api/binaries/1.0.0/linux/any/yank",   HTTP_PUBLISHER, false},
    {"GET",    "/api/channels",                        HTTP_VIEWER,    false},
    {"PUT",    "/api/channels/stable",                 HTTP_OPERATOR,  true },
    {"GET",    "/api/rollouts",                        HTTP_VIEWER,    false},
    {"POST",   "/api/rollouts",                        HTTP_OPERATOR,  true },
    {"POST",   "/api/rollouts/plan",                   HTTP_OPERATOR,  true },
    {"GET",    "/api/rollouts/r-1",                    HTTP_VIEWER,    false},
    {"GET",    "/api/rollouts/r-1/agents",             HTTP_VIEWER,    false},
    {"POST",   "/api/rollouts/r-1/pause",              HTTP_OPERATOR,  false},
    {"POST",   "/api/rollouts/r-1/resume",             HTTP_OPERATOR,  false},
    {"POST",   "/api/rollouts/r-1/promote",            HTTP_OPERATOR,  false},
    {"POST",   "/api/rollouts/r-1/stop",               HTTP_OPERATOR,  false},
    {"POST",   "/api/rollouts/r-1/rollback",           HTTP_OPERATOR,  false},
    {"GET",    "/api/quarantine",                      HTTP_VIEWER,    false},
    {"GET",    "/api/quarantine/00000000",             HTTP_VIEWER,    false},
    {"DELETE", "/api/quarantine/00000000",             HTTP_OPERATOR,  false},
    {"GET",    "/api/floors",                          HTTP_VIEWER,    false},
    {"PUT",    "/api/floors/storage-server",           HTTP_PUBLISHER, true },
    {"DELETE", "/api/floors/storage-server",           HTTP_PUBLISHER, false},
    {"GET",    "/api/audit",                           HTTP_ADMIN,     false},
    {"GET",    "/api/audit/checkpoints",               HTTP_ADMIN,     false},
    {"GET",    "/api/keys/master",                     HTTP_PUBLIC,    false},
    {"GET",    "/api/keys/release",                    HTTP_PUBLIC,    false},
    {"GET",    "/api/keys",                            HTTP_ADMIN,     false},
    {"POST",   "/api/keys",                            HTTP_ADMIN,     true },
    {"DELETE", "/api/keys/E7620F1842B4E81F",           HTTP_ADMIN,     false},
    {"POST",   "/api/backup",                          HTTP_ADMIN,     false},
};
#define EXPECTATIONS (sizeof expectations / sizeof expectations[0])

static void say_reached(struct http_request *r) {
    http_reply_text(r, REACHED, "text/plain", http_principal(r), strlen(http_principal(r)));
}

/* A socket that is reached refuses in its own way, so that no conversation begins. */
static void *refuse_socket(struct http_request *r, struct err *e) {
    (void)r;
    err_set(e, ERR_CONFLICT, "reached");
    return NULL;
}
static const struct http_socket socket_reached = {.accept = refuse_socket};

struct gate {
    struct fixture *f;
    struct master master;
    struct http_route *routes;
    struct served served;
    char secrets[ROLES][SECRET_TEXT_SIZE]; /* "" for anonymous */
};

static void make_token(const struct gate *g, const char *kind, const char *role, int64_t expires_s,
                       char id[SECRET_ID_SIZE], char secret[SECRET_TEXT_SIZE]) {
    struct err error = {0};
    struct token token;
    const struct token_request request = {.kind = kind,
                                          .role = role,
                                          .expires_s = expires_s,
                                          .principal = "test",
                                          .principal_role = HTTP_ADMIN};
    assert_ok(tokens_create(g->f->db, &request, clock_wall_ms(), &token, secret, &error));
    memcpy(id, token.id, sizeof token.id);
    token_clear(&token);
}

static const struct settings plain = {.public_downloads = true};

static int open_gate(void **state) {
    struct gate *g = memory_zeroed(1, sizeof *g);
    void *fixture = NULL;
    char id[SECRET_ID_SIZE];
    fixture_setup(&fixture);
    g->f = fixture;
    g->master.db = g->f->db;
    g->master.settings = &plain;
    g->master.agents = g->f->agents;
    g->master.request_limit =
        rate_limiter_new((struct rate_limit){.per_second = 1000, .burst = 2000}, 100);
    g->master.failed_login_limit =
        rate_limiter_new((struct rate_limit){.per_second = 0, .burst = 10}, 100);
    g->routes = memory_zeroed(master_route_count, sizeof *g->routes);
    for (size_t i = 0; i < master_route_count; i++) {
        g->routes[i] = master_routes[i];
        g->routes[i].handler = say_reached;
        if (master_routes[i].socket != NULL) g->routes[i].socket = &socket_reached;
    }
    for (int role = HTTP_VIEWER; role < ROLES; role++)
        make_token(g, "api", http_role_name((enum http_role)role), 0, id, g->secrets[role]);
    g->served = serve_with((struct http_server_options){.routes = g->routes,
                                                        .route_count = master_route_count,
                                                        .context = &g->master,
                                                        .authorize = master_authorize});
    *state = g;
    return 0;
}

static int close_gate(void **state) {
    struct gate *g = *state;
    void *fixture = g->f;
    http_server_stop(g->served.server);
    rate_limiter_free(g->master.request_limit);
    rate_limiter_free(g->master.failed_login_limit);
    free(g->routes);
    fixture_teardown(&fixture);
    free(g);
    return 0;
}

/* Calls with these header lines; the status is returned, the body kept when wanted. */
static int call(const struct gate *g, const struct expectation *x, const char *headers,
                struct text *body) {
    OWN_REPLY struct reply reply;
    char start[160], lines[16384];
    bool is_socket = strcmp(x->method, "WS") == 0;
    snprintf(start, sizeof start, "%s %s", is_socket ? "GET" : x->method, x->path);
    snprintf(lines, sizeof lines, "%s%s%s", headers,
             x->takes_body ? "Content-Length: 2\r\nConnection: close\r\n" : "",
             is_socket
                 ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                 : "");
    OWN_TEXT struct text request = TEXT_EMPTY;
    text_add_format(&request, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", start, lines,
                    x->takes_body ? "{}" : "");
    exchange_bytes(g->served.port, request.data, request.length, &reply);
    if (body != NULL) text_add(body, text_value(&reply.body));
    return is_socket && reply.status == 409 ? REACHED : reply.status;
}

static int call_with(const struct gate *g, const struct expectation *x, const char *secret) {
    char header[12000] = "";
    if (*secret != '\0') snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", secret);
    return call(g, x, header, NULL);
}

static void every_route_is_open_to_its_role_and_those_above_only(void **state) {
    const struct gate *g = *state;
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        const struct expectation *x = &expectations[i];
        for (int role = HTTP_PUBLIC; role < ROLES; role++) {
            int expected = role >= (int)x->role ? REACHED : role == HTTP_PUBLIC ? 401 : 403;
            int status = call_with(g, x, g->secrets[role]);
            if (status != expected)
                fail_msg("%s %s as %s: %d, not %d", x->method, x->path,
                         role == HTTP_PUBLIC ? "anonymous" : http_role_name((enum http_role)role),
                         status, expected);
        }
    }
}

static void every_row_is_expected_once(void **state) {
    (void)state;
    bool met[EXPECTATIONS] = {false};
    assert_int_equal(master_route_count, EXPECTATIONS);
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        char allowed[96];
        const struct expectation *x = &expectations[i];
        int index = http_route_match(master_routes, master_route_count, x->method, x->path, allowed,
                                     sizeof allowed);
        assert_true(index >= 0);
        if (met[index]) fail_msg("%s %s is somebody else's route", x->method, x->path);
        met[index] = true;
        assert_int_equal(master_routes[index].role, x->role);
        assert_int_equal(master_routes[index].body_max_bytes > 0, x->takes_body);
        assert_true((master_routes[index].handler != NULL) !=
                    (master_routes[index].socket != NULL));
    }
}

static int expected_for_scope(const struct http_route *route) {
    bool reads = strcmp(route->method, "GET") == 0 || strcmp(route->method, "HEAD") == 0;
    switch (scope_of_route(route->method, route->pattern)) {
    case SCOPE_ALL:
    case SCOPE_WITHIN:
        return REACHED;
    case SCOPE_AGENT:
    case SCOPE_NODE:
        return reads ? 404 : 403; /* a-1 is there, in another rack */
    default:
        return 403;
    }
}

static void every_row_says_what_a_scope_means_there(void **state) {
    const struct gate *g = *state;
    struct err error;
    struct token token;
    char secret[SECRET_TEXT_SIZE];
    const struct token_request request = {.kind = "api",
                                          .role = "admin",
                                          .scope = "rack=b",
                                          .principal = "test",
                                          .principal_role = HTTP_ADMIN};
    fixture_agent(g->f, "a-1");
    assert_ok(tokens_create(g->f->db, &request, clock_wall_ms(), &token, secret, &error));
    token_clear(&token);
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        char allowed[96];
        const struct expectation *x = &expectations[i];
        int index = http_route_match(master_routes, master_route_count, x->method, x->path, allowed,
                                     sizeof allowed);
        assert_true(index >= 0);
        const struct http_route *route = &master_routes[index];
        enum scope_rule rule = scope_of_route(route->method, route->pattern);
        if (rule == SCOPE_UNSAID) fail_msg("%s %s: no rule", route->method, route->pattern);
        if (route->role == HTTP_PUBLIC) assert_int_equal(rule, SCOPE_ALL);
        if (rule == SCOPE_ROLLOUT) continue; /* there are none here: tests/e2e/scope_test.py */
        int expected = expected_for_scope(route), status = call_with(g, x, secret);
        if (status != expected) fail_msg("%s %s: %d, not %d", x->method, x->path, status, expected);
    }
}

static void only_uploads_take_large_bodies_and_long(void **state) {
    (void)state;
    for (size_t i = 0; i < master_route_count; i++) {
        const struct http_route *r = &master_routes[i];
        bool upload = (strcmp(r->method, "PUT") == 0 && strstr(r->pattern, "/binaries/") != NULL) ||
                      strcmp(r->pattern, "/api/trust/root") == 0 ||
                      strcmp(r->pattern, "/api/trust/targets") == 0;
        assert_true(upload || r->body_max_bytes <= 64 * 1024);
        assert_int_equal(r->body_timeout_ms > 0, upload);
    }
}

static const struct expectation summary = {"GET", "/api/summary", HTTP_VIEWER, false};
static const struct expectation health = {"GET", "/healthz", HTTP_PUBLIC, false};

static void token_comes_as_bearer_or_api_key(void **state) {
    const struct gate *g = *state;
    char header[256];
    snprintf(header, sizeof header, "X-API-Key: %s\r\n", g->secrets[HTTP_VIEWER]);
    assert_int_equal(call(g, &summary, header, NULL), REACHED);
    snprintf(header, sizeof header, "authorization: bearer   %s\r\n", g->secrets[HTTP_VIEWER]);
    assert_int_equal(call(g, &summary, header, NULL), REACHED);
    snprintf(header, sizeof header, "Authorization: Basic %s\r\n", g->secrets[HTTP_VIEWER]);
    assert_int_equal(call(g, &summary, header, NULL), 401);
}

static void principal_is_the_tokens_id(void **state) {
    const struct gate *g = *state;
    OWN_TEXT struct text said = TEXT_EMPTY;
    char id[SECRET_ID_SIZE], secret[SECRET_TEXT_SIZE], header[256], expected[64];
    make_token(g, "api", "viewer", 0, id, secret);
    snprintf(header, sizeof header, "X-API-Key: %s\r\n", secret);
    assert_int_equal(call(g, &summary, header, &said), REACHED);
    snprintf(expected, sizeof expected, "token:%s", id);
    assert_string_equal(text_value(&said), expected);
}

static void what_is_no_token_is_refused_with_the_same_words(void **state) {
    const struct gate *g = *state;
    char id[SECRET_ID_SIZE], join[SECRET_TEXT_SIZE], api[SECRET_TEXT_SIZE], off[SECRET_TEXT_SIZE];
    char known[SECRET_TEXT_SIZE], id_only[32], longer[SECRET_TEXT_SIZE + 1], huge[10001];
    OWN_TEXT struct text first = TEXT_EMPTY;
    make_token(g, "join", NULL, 0, id, join);
    make_token(g, "api", "admin", 0, id, api);
    memcpy(off, api, sizeof off);
    off[strlen(off) - 2] = off[strlen(off) - 2] == 'A' ? 'B' : 'A';
    snprintf(id_only, sizeof id_only, "gt_%s.", id);
    snprintf(longer, sizeof longer, "%sA", api);
    memset(huge, 'A', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    memcpy(known, join, sizeof known);
    known[1] = 't'; /* a join secret dressed up */
    const char *const wrong[] = {off,   id_only, longer, huge,  join,
                                 known, "x",     "gt_",  "%00", "' OR 1=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        OWN_TEXT struct text said = TEXT_EMPTY;
        char header[12000];
        snprintf(header, sizeof header, "X-Request-Id: same\r\nX-API-Key: %s\r\n", wrong[i]);
        int status = call(g, &summary, header, &said);
        if (status != 401) fail_msg("token %zu: %d %s", i, status, text_value(&said));
        if (i == 0) text_add(&first, text_value(&said));
        assert_string_equal(text_value(&said), text_value(&first));
        if (strstr(text_value(&said), id) != NULL) fail_msg("the answer tells the id");
    }
    assert_int_equal(call_with(g, &summary, api), REACHED);
}

static void a_download_credential_opens_downloads_until_it_expires(void **state) {
    const struct gate *g = *state;
    static const struct expectation download = {"GET", "/binaries/s-1.0.0-linux-any", HTTP_PUBLIC,
                                                false};
    char now[WIRE_DOWNLOAD_TOKEN_SIZE], old[WIRE_DOWNLOAD_TOKEN_SIZE];
    int64_t now_ms = clock_wall_ms();
    struct err error;
    fixture_agent(g->f, "a-1");
    downloads_grant(&g->master.downloads, "a-1", now_ms, now);
    downloads_grant(&g->master.downloads, "a-1", now_ms - DOWNLOADS_LIFE_S * 1000, old);
    assert_int_equal(call_with(g, &download, now), REACHED);
    assert_int_equal(call_with(g, &summary, now), 401);
    assert_int_equal(call_with(g, &health, now), 401);
    for (int i = 0; i < 40; i++) /* an agent with an old one is no thief */
        assert_int_equal(call_with(g, &download, old), 401);
    assert_int_equal(call_with(g, &download, now), REACHED);
    assert_ok(agents_revoke(g->f->agents, "a-1", "test", &error));
    assert_int_equal(call_with(g, &download, now), 401);
}

static void an_unused_join_token_reads_binaries_and_nothing_else(void **state) {
    const struct gate *g = *state;
    char id[SECRET_ID_SIZE], join[SECRET_TEXT_SIZE];
    make_token(g, "join", NULL, 0, id, join);
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        const struct expectation *x = &expectations[i];
        bool reads = strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
        bool binary = reads && (strstr(x->path, "/binaries/") != NULL);
        int expected = !binary ? 401 : x->role == HTTP_PUBLIC ? REACHED : 403;
        int status = call_with(g, x, join);
        if (status != expected && !(status == 429 && expected == 401))
            fail_msg("%s %s: %d, not %d", x->method, x->path, status, expected);
    }
}

static void wrong_token_is_refused_where_none_is_needed_too(void **state) {
    const struct gate *g = *state;
    assert_int_equal(call_with(g, &health, "gt_0123456789abcdef.x"), 401);
    assert_int_equal(call_with(g, &health, ""), REACHED);
}

static void revoked_and_expired_tokens_are_refused(void **state) {
    const struct gate *g = *state;
    struct err error = {0};
    char id[SECRET_ID_SIZE], secret[SECRET_TEXT_SIZE];
    make_token(g, "api", "viewer", 0, id, secret);
    assert_int_equal(call_with(g, &summary, secret), REACHED);
    assert_ok(tokens_revoke(g->f->db, id, "test", &error));
    assert_int_equal(call_with(g, &summary, secret), 401);
    struct token token;
    const struct token_request old = {.kind = "api",
                                      .role = "viewer",
                                      .expires_s = 60,
                                      .principal = "test",
                                      .principal_role = HTTP_ADMIN};
    assert_ok(tokens_create(g->f->db, &old, clock_wall_ms() - 61000, &token, secret, &error));
    token_clear(&token);
    assert_int_equal(call_with(g, &summary, secret), 401);
}

static void token_in_the_address_is_refused(void **state) {
    const struct gate *g = *state;
    static const char *const names[] = {"token", "access_token", "api_key", "X-API-Key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200];
        OWN_TEXT struct text said = TEXT_EMPTY;
        snprintf(path, sizeof path, "/healthz?%s=%s", names[i], g->secrets[HTTP_ADMIN]);
        const struct expectation x = {"GET", path, HTTP_PUBLIC, false};
        assert_int_equal(call(g, &x, "", &said), 400);
        assert_null(strstr(text_value(&said), g->secrets[HTTP_ADMIN]));
    }
}

static void wrong_tokens_are_limited_and_right_ones_are_not(void **state) {
    const struct gate *g = *state;
    OWN_REPLY struct reply reply;
    for (int i = 0; i < 10; i++)
        assert_int_equal(call_with(g, &summary, "gt_0123456789abcdef.x"), 401);
    exchange(g->served.port, "GET /api/summary", "X-API-Key: gt_0123456789abcdef.x\r\n", &reply);
    assert_int_equal(reply.status, 429);
    assert_non_null(reply_header(&reply, "Retry-After"));
    assert_int_equal(call_with(g, &summary, g->secrets[HTTP_VIEWER]), REACHED);
    assert_int_equal(call_with(g, &health, ""), REACHED);
}

static void requests_are_limited_for_each_principal(void **state) {
    struct gate *g = *state;
    struct rate_limiter *before = g->master.request_limit;
    g->master.request_limit =
        rate_limiter_new((struct rate_limit){.per_second = 0, .burst = 2}, 100);
    assert_int_equal(call_with(g, &health, ""), REACHED);
    assert_int_equal(call_with(g, &health, ""), REACHED);
    assert_int_equal(call_with(g, &health, ""), 429);
    assert_int_equal(call_with(g, &health, g->secrets[HTTP_VIEWER]), REACHED);
    assert_int_equal(call_with(g, &health, g->secrets[HTTP_ADMIN]), REACHED);
    rate_limiter_free(g->master.request_limit);
    g->master.request_limit = before;
}

static void ask_for_what_may_be_closed(struct http_request *r) {
    struct err e;
    if (api_binaries_readable(r, &e))
        say_reached(r);
    else
        http_reply_err(r, &e);
}

static void a_question_for_a_higher_role_is_no_second_request(void **state) {
    static const struct expectation list = {"GET", "/api/binaries", HTTP_PUBLIC, false};
    struct settings closed = {.public_downloads = false};
    struct gate *g = *state;
    struct rate_limiter *before = g->master.request_limit;
    g->master.settings = &closed;
    g->master.request_limit =
        rate_limiter_new((struct rate_limit){.per_second = 0, .burst = 2}, 100);
    for (size_t i = 0; i < master_route_count; i++)
        if (strcmp(g->routes[i].pattern, list.path) == 0)
            g->routes[i].handler = ask_for_what_may_be_closed;
    assert_int_equal(call_with(g, &list, ""), 401);
    assert_int_equal(call_with(g, &list, ""), 401);
    assert_int_equal(call_with(g, &list, ""), 429);
    assert_int_equal(call_with(g, &list, g->secrets[HTTP_VIEWER]), REACHED);
    rate_limiter_free(g->master.request_limit);
    g->master.request_limit = before;
    g->master.settings = &plain;
}

static void paths_that_only_look_alike_lead_nowhere(void **state) {
    const struct gate *g = *state;
    static const char *const paths[] = {"/api",
                                        "/api/",
                                        "/api/binariesX",
                                        "/api/agents/",
                                        "/api/agents/a-1/",
                                        "/api/agents/a-1/why/not",
                                        "/API/summary",
                                        "/api/summary/",
                                        "/api/tokens/a/b",
                                        "/healthz/",
                                        "/binaries",
                                        "/binaries/",
                                        "/binaries/a/b",
                                        "/api/binaries/latest",
                                        "/api/binaries/1.0.0/linux"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct expectation x = {"GET", paths[i], HTTP_PUBLIC, false};
        int status = call_with(g, &x, g->secrets[HTTP_ADMIN]);
        if (status != 404) fail_msg("%s: %d", paths[i], status);
    }
}

static void other_methods_are_named_in_allow(void **state) {
    const struct gate *g = *state;
    OWN_REPLY struct reply reply;
    exchange(g->served.port, "DELETE /api/summary", "", &reply);
    assert_int_equal(reply.status, 405);
    assert_string_equal(reply_header(&reply, "Allow"), "GET, HEAD");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)
    const struct CMUnitTest tests[] = {
        TEST(every_route_is_open_to_its_role_and_those_above_only),
        TEST(every_row_is_expected_once),
        TEST(every_row_says_what_a_scope_means_there),
        TEST(only_uploads_take_large_bodies_and_long),
        TEST(token_comes_as_bearer_or_api_key),
        TEST(principal_is_the_tokens_id),
        TEST(what_is_no_token_is_refused_with_the_same_words),
        TEST(a_download_credential_opens_downloads_until_it_expires),
        TEST(an_unused_join_token_reads_binaries_and_nothing_else),
        TEST(wrong_token_is_refused_where_none_is_needed_too),
        TEST(revoked_and_expired_tokens_are_refused),
        TEST(token_in_the_address_is_refused),
        TEST(wrong_tokens_are_limited_and_right_ones_are_not),
        TEST(requests_are_limited_for_each_principal),
        TEST(a_question_for_a_higher_role_is_no_second_request),
        TEST(paths_that_only_look_alike_lead_nowhere),
        TEST(other_methods_are_named_in_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
