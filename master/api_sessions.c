#include "master/api_sessions.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "master/authorize_session.h"
#include "master/body.h"
#include "master/master.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sign_in_order {
    char invitation[SECRET_TEXT_SIZE]; /* of who signs in for the first time */
    char name[USER_NAME_SIZE];
    char password[USER_PASSWORD_SIZE];
};
static const struct json_field setup_fields[] = {
    J(JSON_STRING, struct sign_in_order, invitation, JSON_REQUIRED),
    J(JSON_STRING, struct sign_in_order, name, JSON_REQUIRED),
    J(JSON_STRING, struct sign_in_order, password, JSON_REQUIRED),
};
static const struct json_schema setup_schema = JSON_SCHEMA(struct sign_in_order, setup_fields);
static const struct json_field login_fields[] = {
    J(JSON_STRING, struct sign_in_order, name, JSON_REQUIRED),
    J(JSON_STRING, struct sign_in_order, password, JSON_REQUIRED),
};
static const struct json_schema login_schema = JSON_SCHEMA(struct sign_in_order, login_fields);

static void reply_me(struct http_request *r, int status, const char *principal, const char *role,
                     const char *scope) {
    static const char user[] = "user:";
    OWN_TEXT struct text json = TEXT_EMPTY;
    bool is_user = strncmp(principal, user, sizeof user - 1) == 0;
    text_add(&json, "{\"principal\":");
    json_quote(principal, &json);
    text_add(&json, ",\"name\":");
    json_quote(is_user ? principal + sizeof user - 1 : "", &json);
    text_add(&json, ",\"role\":");
    json_quote(role, &json);
    text_add(&json, ",\"scope\":");
    json_quote(scope, &json);
    text_add(&json, "}");
    http_reply_json(r, status, json.data, json.length);
}

static void reply_failed(struct http_request *r, int64_t wait_ms, struct err *e) {
    if (e->code == ERR_RATE_LIMITED) {
        char seconds[24];
        snprintf(seconds, sizeof seconds, "%" PRId64, wait_ms / 1000 + 1);
        http_reply_header(r, "Retry-After", seconds);
        err_hint(e, "wait %s s; tokens work all the same", seconds);
    }
    http_reply_err(r, e);
}

/* Whatever session the browser brought along ends: nobody goes on in one that was planted. */
static void reply_signed_in(struct http_request *r, int status, struct sign_in *in) {
    char principal[64];
    struct err e;
    if (!session_drop(r, &e)) {
        http_reply_err(r, &e);
    } else {
        session_set_cookie(r, in->cookie);
        snprintf(principal, sizeof principal, "user:%s", in->user.name);
        reply_me(r, status, principal, in->user.role, in->user.scope);
    }
    events_announce(master_of(r)->events);
    secret_wipe(in->cookie, sizeof in->cookie);
}

/* The link of the first start is used up. */
static void forget_first_link(const struct master *m, const struct user *user) {
    char path[PATH_MAX];
    if (strcmp(user->created_by, "first-start") == 0 &&
        file_join(path, sizeof path, m->settings->state, "setup-link", NULL))
        (void)unlink(path);
}

static void sign_in(struct http_request *r, bool invited) {
    struct sign_in_order order = {.invitation = ""};
    struct sign_in in = {.address = http_address(r),
                         .name = order.name,
                         .password = order.password,
                         .invitation = order.invitation,
                         .now_wall_ms = clock_wall_ms(),
                         .now_ms = clock_monotonic_ms()};
    struct sessions *sessions = master_of(r)->sessions;
    struct err e;
    bool done = body_no_query(r, &e) &&
                body_json(r, invited ? &setup_schema : &login_schema, &order, &e) &&
                (invited ? sessions_setup(sessions, &in, &e) : sessions_login(sessions, &in, &e));
    secret_wipe(&order, sizeof order);
    if (done && invited) forget_first_link(master_of(r), &in.user);
    if (done)
        reply_signed_in(r, invited ? 201 : 200, &in);
    else
        reply_failed(r, in.wait_ms, &e);
}

void api_setup(struct http_request *r) {
    sign_in(r, true);
}

void api_login(struct http_request *r) {
    sign_in(r, false);
}

void api_logout(struct http_request *r) {
    struct err e;
    if (!body_no_query(r, &e) || !session_drop(r, &e)) {
        http_reply_err(r, &e);
        return;
    }
    session_set_cookie(r, "");
    events_announce(master_of(r)->events);
    http_reply_empty(r, 204);
}

void api_me(struct http_request *r) {
    struct err e;
    if (body_no_query(r, &e))
        reply_me(r, 200, http_principal(r), http_role_name(http_principal_role(r)), http_scope(r));
    else
        http_reply_err(r, &e);
}

void api_events_ticket(struct http_request *r) {
    char ticket[SESSION_TICKET_SIZE], json[128];
    struct err e;
    if (!body_no_query(r, &e)) {
        http_reply_err(r, &e);
        return;
    }
    if (strncmp(http_credential(r), "session:", strlen("session:")) != 0) {
        err_set(&e, ERR_CONFLICT, "only a page that signed in needs a ticket");
        err_hint(&e, "open the WebSocket with Authorization: Bearer TOKEN");
        http_reply_err(r, &e);
        return;
    }
    sessions_ticket(master_of(r)->sessions, http_credential(r), clock_monotonic_ms(), ticket);
    int length = snprintf(json, sizeof json, "{\"ticket\":\"%s\",\"expires_s\":%d}", ticket,
                          SESSION_TICKET_MS / 1000);
    http_reply_json(r, 201, json, (size_t)length);
    secret_wipe(ticket, sizeof ticket);
    secret_wipe(json, sizeof json);
}
