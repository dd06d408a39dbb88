/* Tokens: API tokens with roles, join tokens with uses. Stored hashed; the secret is shown once.
 * Any thread. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"
#include "lib/http_server.h"
#include "lib/secret.h"
#include "master/scope.h"

struct token {
    char id[SECRET_ID_SIZE];
    char kind[8];
    char role[16];          /* api tokens */
    char scope[SCOPE_SIZE]; /* api tokens: the agents it is good for; "": all */
    char *labels;           /* join tokens: assigned to who joins; owned */
    int64_t uses_left;      /* -1: no limit */
    int64_t expires_at_ms;
    int64_t created_at_ms;
    char created_by[64];
};
void token_clear(struct token *t);

struct token_request {
    const char *kind; /* "join" or "api" */
    const char *role;
    const char *scope; /* api; NULL: that of who asks */
    const char *labels;
    int64_t uses;      /* join: 1 when 0; -1: no limit */
    int64_t expires_s; /* join: 3600 when 0; api: 0 = never */
    const char *principal;
    enum http_role principal_role; /* nobody hands out more than they have */
    const char *principal_scope;   /* NULL: none */
};

/* Writes the token and its event; the secret comes back once. ERR_INVALID, ERR_DENIED. */
MUST_CHECK bool tokens_create(struct db *db, const struct token_request *request,
                              int64_t now_wall_ms, struct token *out, char secret[SECRET_TEXT_SIZE],
                              struct err *e);
MUST_CHECK bool tokens_list(struct db *db, struct token **out, size_t *count,
                            struct err *e); /* tokens_list_free */
void tokens_list_free(struct token *tokens, size_t count);
MUST_CHECK bool tokens_revoke(struct db *db, const char *id, const char *principal, struct err *e);

/* Checks an API secret: role, scope and principal ("token:<id>") of its token. ERR_UNAUTHENTICATED,
 * the same words for every cause. */
MUST_CHECK bool tokens_authenticate(struct db *db, const char *secret, int64_t now_wall_ms,
                                    enum http_role *role, char principal[64],
                                    char scope[SCOPE_SIZE], struct err *e);

/* Whether the token of a principal ("token:<id>") still opens anything. ERR_UNAUTHENTICATED when it
 * was revoked or has expired. */
MUST_CHECK bool tokens_check(struct db *db, const char *principal, int64_t now_wall_ms,
                             struct err *e);

/* Checks a join secret without using it. ERR_UNAUTHENTICATED, as above. */
MUST_CHECK bool tokens_may_join(struct db *db, const char *secret, int64_t now_wall_ms,
                                char principal[64], struct err *e);

/* Inside the enrolling transaction: takes one use off a join token and gives its labels (owned by
 * the caller). Checks hash, kind, expiry and uses in one statement's worth of atomicity.
 * ERR_UNAUTHENTICATED. */
MUST_CHECK bool tokens_consume(struct db_connection *c, const char *secret, int64_t now_wall_ms,
                               char **labels, char principal[64], struct err *e);

MUST_CHECK bool tokens_prune(struct db *db, int64_t now_wall_ms,
                             struct err *e); /* expired for a day */

/* Makes the admin token at first start: STATE/admin.token (0600). */
MUST_CHECK bool tokens_create_admin(struct db *db, const char *state_directory, struct err *e);
