/* People who sign in at the console: invited by a one-use link, with a role and perhaps a scope,
 * and a password that only its hash is kept of. Any thread. */
#pragma once

#include "lib/db.h"
#include "lib/http_server.h"
#include "lib/password.h"
#include "lib/secret.h"
#include "master/scope.h"

#define USER_NAME_SIZE 33 /* [a-z0-9][a-z0-9._@-]* */
#define USER_PASSWORD_MIN 10
#define USER_PASSWORD_SIZE 1025

struct user {
    char name[USER_NAME_SIZE]; /* of an invitation: "" leaves it to who comes */
    char role[16];
    char scope[SCOPE_SIZE];
    int64_t created_at_ms;
    char created_by[64];
    int64_t expires_at_ms; /* of an invitation that nobody has taken yet; 0: it is a user */
    char invitation[SECRET_ID_SIZE]; /* its id, in lists */
};

struct invitation_request {
    const char *name, *role, *scope; /* scope NULL: that of who asks */
    int64_t expires_s;               /* 0: a day */
    const char *principal;
    enum http_role principal_role;
    const char *principal_scope; /* nobody invites to more than they have */
};

/* Writes the invitation; its secret ("gi_...") comes back once. ERR_INVALID, ERR_DENIED,
 * ERR_CONFLICT when there is such a user. */
MUST_CHECK bool users_invite(struct db *db, const struct invitation_request *request,
                             int64_t now_wall_ms, struct user *out, char secret[SECRET_TEXT_SIZE],
                             struct err *e);

/* Whether the secret is an invitation for this name now. ERR_UNAUTHENTICATED, ERR_INVALID. */
MUST_CHECK bool users_check_invitation(struct db *db, const char *secret, const char *name,
                                       int64_t now_wall_ms, struct err *e);

/* Makes the user of it, once. password is its hash. Errors as above, ERR_CONFLICT. */
MUST_CHECK bool users_accept(struct db *db, const char *secret, const char *name,
                             const char *password, int64_t now_wall_ms, struct user *out,
                             struct err *e);

MUST_CHECK bool users_check_password(const char *password, struct err *e); /* long enough */

/* The user, and the hash of the password. ERR_NOT_FOUND. */
MUST_CHECK bool users_find(struct db *db, const char *name, struct user *out,
                           char password[PASSWORD_HASH_SIZE], struct err *e);

/* Users by name, then open invitations; free() *out. */
MUST_CHECK bool users_list(struct db *db, struct user **out, size_t *count, struct err *e);

/* Removes the user with all sessions, and invitations of that name. ERR_NOT_FOUND. */
MUST_CHECK bool users_remove(struct db *db, const char *name, const char *principal, struct err *e);
