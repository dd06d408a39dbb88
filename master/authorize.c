/* Who may do what: tokens, roles and limits of every request. */
#include "lib/clock.h"
#include "master/authorize_session.h"
#include "master/master.h"
#include "master/scope_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AGENT_PRINCIPAL "agent:" /* and its id: who showed a download credential */

static bool refuse_rate(struct http_request *r, int64_t wait_ms, const char *what, struct err *e) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%" PRId64, wait_ms / 1000 + 1);
    http_reply_header(r, "Retry-After", seconds);
    err_set(e, ERR_RATE_LIMITED, "too many %s from %s", what, http_address(r));
    return err_hint(e, "wait %s s", seconds);
}

static bool is_under(const struct http_request *r, const char *folder) {
    return strncmp(http_path(r), folder, strlen(folder)) == 0;
}

/* Right, but too old: no attempt at guessing. */
static bool refuse_expired(struct err *e) {
    err_set(e, ERR_UNAUTHENTICATED, "this download credential has expired");
    return err_hint(e, "the next answer to the agent's heartbeat brings another one");
}

/* An agent that was revoked or removed since it was given the credential. */
static bool is_admitted(struct master *m, const char *agent_id) {
    struct sign_public key;
    enum agent_admission admission;
    return agents_identity(m->agents, agent_id, &key, &admission, NULL) &&
           admission == ADMISSION_ADMITTED;
}

static bool refuse_dismissed(const char *agent_id, struct err *e) {
    err_set(e, ERR_UNAUTHENTICATED, "agent %s may not download any more", agent_id);
    return err_hint(e, "it was revoked or removed: it has to join again");
}

/* Credentials for downloads are nobody's token: anywhere else they are as unknown as any word. */
static bool authenticate_download(struct http_request *r, const char *token, bool *refused,
                                  struct err *e) {
    struct master *m = master_of(r);
    char agent_id[WIRE_AGENT_ID_SIZE];
    char principal[64 + WIRE_AGENT_ID_SIZE];
    *refused = false;
    if (!downloads_is_grant(token) || !is_under(r, "/binaries/")) return false;
    enum download_proof proof = downloads_prove(&m->downloads, token, clock_wall_ms(), agent_id);
    if (proof == DOWNLOAD_FORGED) return false;
    *refused = proof == DOWNLOAD_EXPIRED || !is_admitted(m, agent_id);
    if (proof == DOWNLOAD_EXPIRED) return refuse_expired(e);
    if (*refused) return refuse_dismissed(agent_id, e);
    snprintf(principal, sizeof principal, AGENT_PRINCIPAL "%s", agent_id);
    http_set_principal(r, principal, HTTP_PUBLIC);
    return true;
}

/* A machine that is about to join may fetch the programs for that. */
static bool authenticate_join(struct http_request *r, const char *token) {
    char principal[64];
    struct err ignored;
    bool reads = strcmp(http_method(r), "GET") == 0 || strcmp(http_method(r), "HEAD") == 0;
    if (!reads || !(is_under(r, "/binaries/") || is_under(r, "/api/binaries/"))) return false;
    if (!tokens_may_join(master_of(r)->db, token, clock_wall_ms(), principal, &ignored))
        return false;
    http_set_principal(r, principal, HTTP_PUBLIC);
    return true;
}

/* Wrong tokens are limited per address, right ones never: a hundred machines may share one, and a
 * forgotten script with a revoked token must not keep its neighbours out. */
static bool authenticate(struct http_request *r, const char *token, struct err *e) {
    struct master *m = master_of(r);
    int64_t wait_ms = 0;
    enum http_role role = HTTP_PUBLIC;
    char principal[64], scope[SCOPE_SIZE];
    bool refused = false;
    if (authenticate_download(r, token, &refused, e) || authenticate_join(r, token)) return true;
    if (refused) return false;
    if (tokens_authenticate(m->db, token, clock_wall_ms(), &role, principal, scope, e)) {
        http_set_principal(r, principal, role);
        http_set_scope(r, scope);
        return true;
    }
    if (e->code != ERR_UNAUTHENTICATED || rate_limiter_take(m->failed_login_limit, http_address(r),
                                                            1, clock_monotonic_ms(), &wait_ms))
        return false;
    return refuse_rate(r, wait_ms, "wrong tokens", e);
}

bool master_require_role(struct http_request *r, enum http_role role, struct err *e) {
    if (role == HTTP_PUBLIC || http_principal_role(r) >= role) return true;
    if (http_principal_role(r) == HTTP_PUBLIC && http_bearer(r) == NULL) {
        err_set(e, ERR_UNAUTHENTICATED, "this needs a token with role %s, or to sign in",
                http_role_name(role));
        return err_hint(e, "send Authorization: Bearer TOKEN, or set GRID_TOKEN for gridctl");
    }
    err_set(e, ERR_DENIED, "this needs role %s, and %s has role %s", http_role_name(role),
            http_bearer(r) != NULL ? "the token" : http_principal(r),
            http_role_name(http_principal_role(r)));
    return err_hint(e, "an admin makes such a token: gridctl token create --role %s",
                    http_role_name(role));
}

bool master_authorize(struct http_request *r, enum http_role role, struct err *e) {
    struct master *m = master_of(r);
    const char *token = http_bearer(r);
    int64_t wait_ms = 0;
    if (token != NULL ? !authenticate(r, token, e) : !session_authenticate(r, e)) return false;
    char key[128];
    snprintf(key, sizeof key, "%s %s", http_address(r), http_principal(r));
    if (!rate_limiter_take(m->request_limit, key, 1, clock_monotonic_ms(), &wait_ms))
        return refuse_rate(r, wait_ms, "requests", e);
    return master_require_role(r, role, e) && scope_check(r, e);
}

/* NULL unless authenticate_download let it in. */
static const char *proven_agent(const struct http_request *r) {
    static const char kind[] = AGENT_PRINCIPAL;
    const char *principal = http_principal(r);
    return strncmp(principal, kind, sizeof kind - 1) == 0 ? principal + sizeof kind - 1 : NULL;
}

static bool is_for_joining(const char *name) {
    return strcmp(name, ARTIFACT_AGENT_NAME) == 0 || strcmp(name, "grid-launcher") == 0;
}

static bool refuse_file(struct err *e) {
    err_set(e, ERR_DENIED, "this token is good for other files");
    return err_hint(e, "a token with role viewer reads all: gridctl token create --role viewer");
}

bool master_may_download(struct http_request *r, const char *name, const char *sha256,
                         struct err *e) {
    struct master *m = master_of(r);
    const char *agent_id = proven_agent(r);
    if (m->settings->public_downloads) return true;
    if (http_principal_role(r) >= HTTP_VIEWER) return http_require_certificate(r, e);
    if (http_bearer(r) == NULL) return master_require_role(r, HTTP_VIEWER, e);
    if (agent_id == NULL) return is_for_joining(name) || refuse_file(e);
    return sha256[0] == '\0' || agents_may_fetch(m->agents, agent_id, sha256) || refuse_file(e);
}
