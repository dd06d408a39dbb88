#include "master/authorize_session.h"

#include "lib/clock.h"
#include "master/master.h"
#include "master/same_site.h"

#include <stdio.h>
#include <string.h>

/* Over TLS nobody but this very host can set it: browsers see to that by its prefix. */
static const char *cookie_name(const struct http_request *r) {
    return http_is_secure(r) ? "__Host-grid" : "grid";
}

void session_set_cookie(struct http_request *r, const char *cookie) {
    char line[SECRET_TEXT_SIZE + 128];
    snprintf(line, sizeof line, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", cookie_name(r),
             cookie, http_is_secure(r) ? "; Secure" : "", *cookie == '\0' ? "; Max-Age=0" : "");
    http_reply_header(r, "Set-Cookie", line);
    secret_wipe(line, sizeof line);
}

/* The routes with which people sign in; a cookie makes any other one of theirs, too. */
static bool is_for_pages(const struct http_request *r) {
    static const char *const patterns[] = {"/api/setup", "/api/login", "/api/logout"};
    const char *pattern = http_matched_route(r)->pattern;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (strcmp(pattern, patterns[i]) == 0) return true;
    return false;
}

static bool refuse_page(const char *what, struct err *e) {
    err_set(e, ERR_DENIED, "%s: a page of another site may not do this", what);
    return err_hint(e, "programs use a token: Authorization: Bearer TOKEN");
}

/* strict: what changes, or goes on, by a cookie. */
static bool check_page(const struct http_request *r, bool strict, struct err *e) {
    const char *host = http_header(r, "Host"), *origin = http_header(r, "Origin");
    const char *site = http_header(r, "Sec-Fetch-Site");
    const struct settings *s = master_of(r)->settings;
    if (!same_site_host(host, s->tls_names, e) && !same_site_host(host, s->host_names, e))
        return false;
    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return refuse_page("Sec-Fetch-Site", e);
    if (origin != NULL && !same_site_origin(origin, host)) return refuse_page("Origin", e);
    return origin != NULL || !strict || refuse_page("no Origin", e);
}

static bool read_cookie(const struct http_request *r, char out[SECRET_TEXT_SIZE]) {
    return same_site_cookie(http_header(r, "Cookie"), cookie_name(r), out, SECRET_TEXT_SIZE);
}

static bool refuse_ticket(struct err *e) {
    err_set(e, ERR_DENIED, "this needs a ticket that was not used yet");
    return err_hint(e, "POST /api/events/ticket gives one for 30 s: ?ticket=...");
}

static bool enter(struct http_request *r, const struct web_session *session, struct err *e) {
    const char *method = http_method(r);
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool socket = http_matched_route(r)->socket != NULL;
    enum http_role role = HTTP_PUBLIC;
    char principal[64];
    if (!check_page(r, !reads || socket, e)) return false;
    if (!http_role_parse(session->user.role, &role)) role = HTTP_PUBLIC;
    snprintf(principal, sizeof principal, "user:%s", session->user.name);
    http_set_principal(r, principal, role);
    http_set_scope(r, session->user.scope);
    http_set_credential(r, session->credential);
    const char *ticket = socket ? http_query(r, "ticket") : "";
    return !socket ||
           (ticket != NULL && sessions_take_ticket(master_of(r)->sessions, ticket,
                                                   session->credential, clock_monotonic_ms())) ||
           refuse_ticket(e);
}

bool session_authenticate(struct http_request *r, struct err *e) {
    char cookie[SECRET_TEXT_SIZE];
    struct web_session session;
    struct err why;
    if (is_for_pages(r) && !check_page(r, false, e)) return false;
    if (!read_cookie(r, cookie)) return true;
    bool found = sessions_find(master_of(r)->db, cookie, clock_wall_ms(), &session, &why);
    secret_wipe(cookie, sizeof cookie);
    if (found) return enter(r, &session, e);
    return why.code == ERR_UNAUTHENTICATED || (*e = why, false);
}

bool session_drop(struct http_request *r, struct err *e) {
    char cookie[SECRET_TEXT_SIZE];
    struct master *m = master_of(r);
    if (!read_cookie(r, cookie)) return true;
    bool ended = sessions_end(m->db, cookie, e);
    secret_wipe(cookie, sizeof cookie);
    if (ended) events_dismiss(m->events, http_credential(r));
    return ended;
}
