/* Who may do what: tokens, roles and limits of every request. */
#include "lib/clock.h"
#include "master/master.h"

#include <inttypes.h>
#include <stdio.h>

static bool refuse_rate(struct http_request *r, int64_t wait_ms, const char *what, struct err *e) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%" PRId64, wait_ms / 1000 + 1);
    http_reply_header(r, "Retry-After", seconds);
    err_set(e, ERR_RATE_LIMITED, "too many %s from %s", what, http_address(r));
    return err_hint(e, "wait %s s", seconds);
}

/* Wrong tokens are limited per address, right ones never: a hundred machines may share one, and a
 * forgotten script with a revoked token must not keep its neighbours out. */
static bool authenticate(struct http_request *r, const char *token, struct err *e) {
    struct master *m = master_of(r);
    int64_t wait_ms = 0;
    enum http_role role = HTTP_PUBLIC;
    char principal[64];
    if (tokens_authenticate(m->db, token, clock_wall_ms(), &role, principal, e)) {
        http_set_principal(r, principal, role);
        return true;
    }
    if (e->code != ERR_UNAUTHENTICATED || rate_limiter_take(m->failed_login_limit, http_address(r),
                                                            1, clock_monotonic_ms(), &wait_ms))
        return false;
    return refuse_rate(r, wait_ms, "wrong tokens", e);
}

static bool check_role(struct http_request *r, enum http_role role, struct err *e) {
    if (role == HTTP_PUBLIC || http_principal_role(r) >= role) return true;
    if (http_bearer(r) == NULL) {
        err_set(e, ERR_UNAUTHENTICATED, "this needs a token with role %s", http_role_name(role));
        return err_hint(e, "send Authorization: Bearer TOKEN, or set GRID_TOKEN for gridctl");
    }
    err_set(e, ERR_DENIED, "this needs role %s, and the token has role %s", http_role_name(role),
            http_role_name(http_principal_role(r)));
    return err_hint(e, "an admin makes such a token: gridctl token create --role %s",
                    http_role_name(role));
}

bool master_authorize(struct http_request *r, enum http_role role, struct err *e) {
    struct master *m = master_of(r);
    const char *token = http_bearer(r);
    int64_t wait_ms = 0;
    if (token != NULL && !authenticate(r, token, e)) return false;
    char key[128];
    snprintf(key, sizeof key, "%s %s", http_address(r), http_principal(r));
    if (!rate_limiter_take(m->request_limit, key, 1, clock_monotonic_ms(), &wait_ms))
        return refuse_rate(r, wait_ms, "requests", e);
    return check_role(r, role, e);
}
