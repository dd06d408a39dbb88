#include "master/sessions.h"

#include "lib/condition.h"
#include "master/events.h"
#include "master/lockouts.h"
#include "master/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define HASHES_AT_ONCE 2
#define HASHES_WAITING 16
#define HASH_WAIT_MS 5000
#define TICKETS 256
#define SEEN_EVERY_MS 60000 /* a row is not written for every request */

struct ticket {
    char text[SESSION_TICKET_SIZE];
    char credential[SESSION_CREDENTIAL_SIZE];
    int64_t until_ms;
};

struct sessions {
    struct db *db;
    struct lockouts *lockouts;
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t freed;
    int hashing, waiting;
    struct ticket tickets[TICKETS];
    size_t next_ticket;
};

struct sessions *sessions_new(struct db *db, struct events *events) {
    struct sessions *s = memory_zeroed(1, sizeof *s);
    s->db = db;
    s->lockouts = lockouts_new(events);
    pthread_mutex_init(&s->lock, NULL);
    condition_init(&s->freed);
    return s;
}

void sessions_free(struct sessions *s) {
    if (s == NULL) return;
    lockouts_free(s->lockouts);
    pthread_cond_destroy(&s->freed);
    pthread_mutex_destroy(&s->lock);
    secret_wipe(s->tickets, sizeof s->tickets);
    free(s);
}

/* A password takes 64 MiB and much of a second: whoever comes when many wait comes later. */
static bool begin_hash(struct sessions *s, int64_t *wait_ms, struct err *e) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HASH_WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    int late = s->waiting >= HASHES_WAITING ? 1 : 0;
    s->waiting++;
    while (s->hashing >= HASHES_AT_ONCE && late == 0)
        late = pthread_cond_timedwait(&s->freed, &s->lock, &until);
    s->waiting--;
    bool begun = s->hashing < HASHES_AT_ONCE && late == 0;
    if (begun) s->hashing++;
    pthread_mutex_unlock(&s->lock);
    *wait_ms = HASH_WAIT_MS;
    return begun || err_set(e, ERR_RATE_LIMITED, "too many people sign in at this moment");
}

static void end_hash(struct sessions *s) {
    pthread_mutex_lock(&s->lock);
    assert(s->hashing > 0 && s->hashing <= HASHES_AT_ONCE);
    s->hashing--;
    pthread_cond_signal(&s->freed);
    pthread_mutex_unlock(&s->lock);
}

/* Whether this may be tried; in->wait_ms otherwise. */
static bool may_try(struct sessions *s, struct sign_in *in, struct err *e) {
    const struct attempt by = {in->address, in->name};
    return lockouts_check(s->lockouts, &by, in->now_ms, &in->wait_ms, e);
}

struct beginning {
    const struct user *user;
    const char *hash;
    int64_t now_ms;
};

static bool insert_session(struct db_connection *c, void *argument, struct err *e) {
    const struct beginning *b = argument;
    char principal[64];
    snprintf(principal, sizeof principal, "user:%s", b->user->name);
    return db_exec(c, Q_SESSION_INSERT, e, "ssii", b->hash, b->user->name, b->now_ms, b->now_ms) &&
           events_add_change(c, e, "user.login", b->user->name, principal, NULL,
                             "user %s signed in", b->user->name);
}

static bool begin_session(struct sessions *s, struct sign_in *in, struct err *e) {
    char id[SECRET_ID_SIZE], hash[SECRET_HASH_SIZE];
    const struct attempt by = {in->address, in->name};
    secret_generate("gs", id, in->cookie, hash);
    struct beginning b = {&in->user, hash, in->now_wall_ms};
    if (db_write(s->db, insert_session, &b, e)) {
        lockouts_signed_in(s->lockouts, &by, in->now_ms);
        return true;
    }
    secret_wipe(in->cookie, sizeof in->cookie);
    return false;
}

static bool check_password(struct sessions *s, struct sign_in *in, bool *known, struct err *e) {
    char hash[PASSWORD_HASH_SIZE];
    struct err why;
    *known = users_find(s->db, in->name, &in->user, hash, &why);
    if (!*known && why.code != ERR_NOT_FOUND) return *e = why, false;
    bool matches = password_matches(*known ? hash : password_of_nobody, in->password);
    secret_wipe(hash, sizeof hash);
    if (matches && *known) return true;
    err_set(e, ERR_UNAUTHENTICATED, "name or password is wrong");
    return err_hint(e, "who forgot it needs a new invitation: gridctl user rm, then invite");
}

bool sessions_login(struct sessions *s, struct sign_in *in, struct err *e) {
    const struct attempt by = {in->address, in->name};
    bool known = false;
    if (!may_try(s, in, e) || !begin_hash(s, &in->wait_ms, e)) return false;
    /* Those who failed meanwhile count. */
    bool right = may_try(s, in, e) && check_password(s, in, &known, e);
    if (!right && e->code == ERR_UNAUTHENTICATED)
        lockouts_failed(s->lockouts, &by, known, in->now_ms);
    end_hash(s);
    return right && begin_session(s, in, e);
}

static bool check_invitation(struct sessions *s, const struct sign_in *in, struct err *e) {
    if (users_check_invitation(s->db, in->invitation, in->name, in->now_wall_ms, e)) return true;
    if (e->code == ERR_UNAUTHENTICATED) lockouts_not_invited(s->lockouts, in->address, in->now_ms);
    return false;
}

bool sessions_setup(struct sessions *s, struct sign_in *in, struct err *e) {
    char hash[PASSWORD_HASH_SIZE];
    if (!users_check_password(in->password, e) || !may_try(s, in, e) ||
        !check_invitation(s, in, e) || !begin_hash(s, &in->wait_ms, e))
        return false;
    bool hashed = password_hash(in->password, hash, e);
    end_hash(s);
    return hashed &&
           users_accept(s->db, in->invitation, in->name, hash, in->now_wall_ms, &in->user, e) &&
           begin_session(s, in, e);
}

static bool refuse(struct err *e) {
    err_set(e, ERR_UNAUTHENTICATED, "the session has ended");
    return err_hint(e, "sign in again");
}

static bool take_session(struct db_row *row, void *argument, struct err *e) {
    struct web_session *session = argument;
    (void)e;
    *session = (struct web_session){.created_at_ms = db_column_int(row, 1),
                                    .seen_at_ms = db_column_int(row, 2)};
    snprintf(session->credential, sizeof session->credential, "session:%.16s",
             db_column_text(row, 0));
    text_cut(session->user.name, sizeof session->user.name, db_column_text(row, 3));
    text_cut(session->user.role, sizeof session->user.role, db_column_text(row, 4));
    text_cut(session->user.scope, sizeof session->user.scope, db_column_text(row, 5));
    return true;
}

struct lookup {
    int query;
    const char *key;
    struct web_session session;
};

static bool find_session(struct db_connection *c, void *argument, struct err *e) {
    struct lookup *l = argument;
    return db_one(c, l->query, take_session, &l->session, e, "s", l->key);
}

/* A clock that was set back ends it as well: how old it is cannot be known. */
static bool is_good(const struct web_session *s, int64_t now_ms) {
    int64_t age_ms = now_ms - s->created_at_ms, idle_ms = now_ms - s->seen_at_ms;
    return age_ms >= -SEEN_EVERY_MS && age_ms < SESSION_LIFE_MS && idle_ms < SESSION_IDLE_MS;
}

static bool look_up(struct db *db, struct lookup *l, int64_t now_ms, struct err *e) {
    struct err why;
    if (!db_read(db, find_session, l, &why))
        return why.code == ERR_NOT_FOUND ? refuse(e) : (*e = why, false);
    return is_good(&l->session, now_ms) || refuse(e);
}

struct sight {
    const char *hash;
    int64_t now_ms;
};

static bool see(struct db_connection *c, void *argument, struct err *e) {
    const struct sight *s = argument;
    return db_exec(c, Q_SESSION_SEEN, e, "si", s->hash, s->now_ms);
}

bool sessions_find(struct db *db, const char *cookie, int64_t now_wall_ms, struct web_session *out,
                   struct err *e) {
    char id[SECRET_ID_SIZE], hash[SECRET_HASH_SIZE];
    struct err ignored;
    if (!secret_id("gs", cookie, id, &ignored)) return refuse(e);
    secret_hash(cookie, hash);
    struct lookup l = {.query = Q_SESSION_FIND, .key = hash};
    struct sight sight = {hash, now_wall_ms};
    if (!look_up(db, &l, now_wall_ms, e)) return false;
    *out = l.session;
    return now_wall_ms - out->seen_at_ms < SEEN_EVERY_MS || db_write(db, see, &sight, e);
}

bool sessions_check(struct db *db, const char *credential, int64_t now_wall_ms, struct err *e) {
    static const char prefix[] = "session:";
    if (strncmp(credential, prefix, sizeof prefix - 1) != 0) return refuse(e);
    struct lookup l = {.query = Q_SESSION_BY_CREDENTIAL, .key = credential + sizeof prefix - 1};
    return look_up(db, &l, now_wall_ms, e);
}

static bool delete_session(struct db_connection *c, void *argument, struct err *e) {
    const struct lookup *l = argument;
    char principal[64];
    if (!db_exec(c, Q_SESSION_DELETE, e, "s", l->key)) return false;
    if (db_changed_rows(c) == 0) return true;
    snprintf(principal, sizeof principal, "user:%s", l->session.user.name);
    return events_add_change(c, e, "user.logout", l->session.user.name, principal, NULL,
                             "user %s signed out", l->session.user.name);
}

bool sessions_end(struct db *db, const char *cookie, struct err *e) {
    char hash[SECRET_HASH_SIZE];
    struct err ignored;
    secret_hash(cookie, hash);
    struct lookup l = {.query = Q_SESSION_FIND, .key = hash};
    if (!db_read(db, find_session, &l, &ignored)) return true;
    return db_write(db, delete_session, &l, e);
}

static bool prune(struct db_connection *c, void *argument, struct err *e) {
    int64_t now_ms = *(int64_t *)argument;
    return db_exec(c, Q_SESSION_PRUNE, e, "ii", now_ms - SESSION_LIFE_MS,
                   now_ms - SESSION_IDLE_MS) &&
           db_exec(c, Q_INVITATION_PRUNE, e, "i", now_ms);
}

bool sessions_prune(struct db *db, int64_t now_wall_ms, struct err *e) {
    return db_write(db, prune, &now_wall_ms, e);
}

void sessions_ticket(struct sessions *s, const char *credential, int64_t now_ms,
                     char out[SESSION_TICKET_SIZE]) {
    random_hex(24, out);
    pthread_mutex_lock(&s->lock);
    struct ticket *t = &s->tickets[s->next_ticket++ % TICKETS]; /* the oldest makes room */
    memcpy(t->text, out, sizeof t->text);
    text_cut(t->credential, sizeof t->credential, credential);
    t->until_ms = now_ms + SESSION_TICKET_MS;
    pthread_mutex_unlock(&s->lock);
}

bool sessions_take_ticket(struct sessions *s, const char *ticket, const char *credential,
                          int64_t now_ms) {
    bool taken = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < TICKETS; i++) {
        struct ticket *t = &s->tickets[i];
        if (t->text[0] == '\0' || !secret_equal(t->text, ticket)) continue;
        taken = now_ms < t->until_ms && strcmp(t->credential, credential) == 0;
        secret_wipe(t, sizeof *t);
    }
    pthread_mutex_unlock(&s->lock);
    return taken;
}
