/* Sessions of people who signed in: a cookie's secret, kept hashed in the database, so that they
 * outlive a restart; and tickets with which a page of theirs opens a WebSocket. Any thread. */
#pragma once

#include "master/users.h"

#define SESSION_IDLE_MS (INT64_C(30) * 60 * 1000)
#define SESSION_LIFE_MS (INT64_C(12) * 3600 * 1000)
#define SESSION_CREDENTIAL_SIZE 25 /* "session:" and 16 digits of the hash */
#define SESSION_TICKET_SIZE RANDOM_HEX_SIZE(24)
#define SESSION_TICKET_MS 30000

struct sessions;
struct events;
struct sessions *sessions_new(struct db *db, struct events *events); /* never NULL */
void sessions_free(struct sessions *s);

struct web_session {
    struct user user;
    int64_t created_at_ms, seen_at_ms;
    char credential[SESSION_CREDENTIAL_SIZE];
};

struct sign_in {
    const char *address, *name, *password;
    const char *invitation; /* of sessions_setup */
    int64_t now_wall_ms;
    int64_t now_ms;                /* monotonic: the limit of failures is by this one */
    struct user user;              /* who it is */
    char cookie[SECRET_TEXT_SIZE]; /* of the new session; wipe it */
    int64_t wait_ms;               /* with ERR_RATE_LIMITED */
};

/* Checks name and password and begins a session: always a new one. Failures are counted by address
 * and by name, 5 a minute; at most two passwords are hashed at once. A name that is not there takes
 * as long. ERR_UNAUTHENTICATED, ERR_RATE_LIMITED. */
MUST_CHECK bool sessions_login(struct sessions *s, struct sign_in *in, struct err *e);

/* The same for who comes with an invitation and chooses the password. */
MUST_CHECK bool sessions_setup(struct sessions *s, struct sign_in *in, struct err *e);

/* The session of a cookie, which counts as seen. ERR_UNAUTHENTICATED. */
MUST_CHECK bool sessions_find(struct db *db, const char *cookie, int64_t now_wall_ms,
                              struct web_session *out, struct err *e);

/* Whether a session (its credential) is still good. ERR_UNAUTHENTICATED. */
MUST_CHECK bool sessions_check(struct db *db, const char *credential, int64_t now_wall_ms,
                               struct err *e);

/* Ends the session of the cookie; true as well when there is none. */
MUST_CHECK bool sessions_end(struct db *db, const char *cookie, struct err *e);

/* Deletes sessions and invitations that nobody can use any more. */
MUST_CHECK bool sessions_prune(struct db *db, int64_t now_wall_ms, struct err *e);

/* A ticket is good once, for SESSION_TICKET_MS, for the session that asked for it. */
void sessions_ticket(struct sessions *s, const char *credential, int64_t now_ms,
                     char out[SESSION_TICKET_SIZE]);
bool sessions_take_ticket(struct sessions *s, const char *ticket, const char *credential,
                          int64_t now_ms);
