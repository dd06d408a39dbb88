/* Who may do what: tokens, roles and limits of every request. */
#include "lib/clock.h"
#include "master/master.h"

#include <stdio.h>

/* Wrong tokens are limited per address, right ones never: a hundred machines may share one address.
 */
static bool authenticate(struct http_request *r, const char *token, struct err *e) {
    struct master *m = master_of(r);
    const char *address = http_address(r);
    int64_t now_ms = clock_monotonic_ms(), wait_ms = 0;
    enum http_role role = HTTP_PUBLIC;
    char principal[64];
    if (!rate_limiter_allows(m->failed_login_limit, address, now_ms, &wait_ms)) {
        err_set(e, ERR_RATE_LIMITED, "too many wrong tokens from %s", address);
        return err_hint(e, "wait %lld s", (long long)(wait_ms / 1000 + 1));
    }
    if (tokens_authenticate(m->db, token, clock_wall_ms(), &role, principal, e)) {
        http_set_principal(r, principal, role);
        return true;
    }
    if (e->code == ERR_UNAUTHENTICATED)
        (void)rate_limiter_take(m->failed_login_limit, address, 1, now_ms, NULL);
    return false;
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
    if (!rate_limiter_take(m->request_limit, key, 1, clock_monotonic_ms(), &wait_ms)) {
        err_set(e, ERR_RATE_LIMITED, "too many requests from %s", http_address(r));
        return err_hint(e, "wait %lld ms", (long long)wait_ms + 1);
    }
    return check_role(r, role, e);
}
