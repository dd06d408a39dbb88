#include "master/users.h"

#include "lib/clock.h"
#include "master/events.h"
#include "master/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INVITATION_S (INT64_C(24) * 3600)
#define INVITATION_MAX_S (INT64_C(30) * 24 * 3600)

static bool check_name(const char *name, struct err *e) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._@-";
    size_t length = strlen(name);
    if (length > 0 && length < USER_NAME_SIZE && strspn(name, allowed) == length &&
        strchr("._@-", name[0]) == NULL)
        return true;
    return err_set(e, ERR_INVALID, "name: 1 to %d of a-z, 0-9, '.', '_', '@', '-', as ada.l",
                   USER_NAME_SIZE - 1);
}

bool users_check_password(const char *password, struct err *e) {
    if (strlen(password) >= USER_PASSWORD_MIN) return true;
    err_set(e, ERR_INVALID, "password: at least %d bytes", USER_PASSWORD_MIN);
    return err_hint(e, "a few words in a row do well");
}

static bool check_request(const struct invitation_request *q, struct user *out, struct err *e) {
    enum http_role role = HTTP_PUBLIC;
    const char *own = q->principal_scope != NULL ? q->principal_scope : "";
    if (q->name[0] != '\0' && !check_name(q->name, e)) return false;
    if (!http_role_parse(q->role, &role) || role == HTTP_PUBLIC)
        return err_set(e, ERR_INVALID, "role: one of viewer, operator, publisher, admin");
    if (role > q->principal_role)
        return err_set(e, ERR_DENIED, "role %s is more than that of who invites", q->role);
    if (q->expires_s < 0 || q->expires_s > INVITATION_MAX_S)
        return err_set(e, ERR_INVALID, "expires_s: from 1 to %" PRId64, INVITATION_MAX_S);
    if (!scope_parse(q->scope != NULL ? q->scope : own, out->scope, e)) return false;
    return scope_covers(own, out->scope) ||
           err_set(e, ERR_DENIED, "a scope beyond the scope \"%s\" of who invites", own);
}

struct invitation {
    struct user user;
    char id[SECRET_ID_SIZE], hash[SECRET_HASH_SIZE];
};

static bool take_any(struct db_row *row, void *argument, struct err *e) {
    (void)row, (void)e;
    *(bool *)argument = true;
    return true;
}

static bool refuse_taken(struct db_connection *c, const char *name, struct err *e) {
    bool taken = false;
    if (!db_query(c, Q_USER_FIND, take_any, &taken, e, "s", name)) return false;
    if (!taken) return true;
    err_set(e, ERR_CONFLICT, "user %s is there already", name);
    return err_hint(e, "for a new password: gridctl user rm %s, then invite again", name);
}

static bool insert_invitation(struct db_connection *c, void *argument, struct err *e) {
    const struct invitation *n = argument;
    const struct user *u = &n->user;
    return refuse_taken(c, u->name, e) &&
           db_exec(c, Q_INVITATION_INSERT, e, "sssssiis", n->id, n->hash, u->name, u->role,
                   u->scope, u->expires_at_ms, u->created_at_ms, u->created_by) &&
           events_add_change(c, e, "user.invited", u->name[0] != '\0' ? u->name : n->id,
                             u->created_by, NULL, "%s was invited with role %s%s%s",
                             u->name[0] != '\0' ? u->name : "somebody", u->role,
                             u->scope[0] != '\0' ? " and scope " : "", u->scope);
}

bool users_invite(struct db *db, const struct invitation_request *q, int64_t now_wall_ms,
                  struct user *out, char secret[SECRET_TEXT_SIZE], struct err *e) {
    struct invitation n;
    int64_t expires_s = q->expires_s > 0 ? q->expires_s : INVITATION_S;
    *out = (struct user){.created_at_ms = now_wall_ms,
                         .expires_at_ms = now_wall_ms + expires_s * 1000};
    if (!check_request(q, out, e)) return false;
    text_cut(out->name, sizeof out->name, q->name);
    text_cut(out->role, sizeof out->role, q->role);
    text_cut(out->created_by, sizeof out->created_by, q->principal);
    n.user = *out;
    secret_generate("gi", n.id, secret, n.hash);
    if (db_write(db, insert_invitation, &n, e)) return true;
    secret_wipe(secret, SECRET_TEXT_SIZE);
    return false;
}

static bool take_invitation(struct db_row *row, void *argument, struct err *e) {
    struct invitation *n = argument;
    (void)e;
    text_cut(n->id, sizeof n->id, db_column_text(row, 0));
    text_cut(n->hash, sizeof n->hash, db_column_text(row, 1));
    text_cut(n->user.name, sizeof n->user.name, db_column_text(row, 2));
    text_cut(n->user.role, sizeof n->user.role, db_column_text(row, 3));
    text_cut(n->user.scope, sizeof n->user.scope, db_column_text(row, 4));
    n->user.expires_at_ms = db_column_int(row, 5);
    n->user.created_at_ms = db_column_int(row, 6);
    text_cut(n->user.created_by, sizeof n->user.created_by, db_column_text(row, 7));
    return true;
}

struct acceptance {
    const char *secret, *name, *password;
    int64_t now_ms;
    struct user user;
};

static bool refuse_invitation(struct err *e) {
    err_set(e, ERR_UNAUTHENTICATED, "the invitation is unknown, expired or used up");
    return err_hint(e, "ask an admin for another one: gridctl user invite NAME");
}

static bool find_invitation(struct db_connection *c, struct acceptance *a, struct invitation *out,
                            struct err *e) {
    char id[SECRET_ID_SIZE], hash[SECRET_HASH_SIZE];
    struct err why;
    if (!secret_id("gi", a->secret, id, &why)) return refuse_invitation(e);
    if (!db_one(c, Q_INVITATION_FIND, take_invitation, out, &why, "s", id))
        return why.code == ERR_NOT_FOUND ? refuse_invitation(e) : (*e = why, false);
    secret_hash(a->secret, hash);
    if (!secret_equal(hash, out->hash) || out->user.expires_at_ms <= a->now_ms)
        return refuse_invitation(e);
    if (out->user.name[0] == '\0' || strcmp(out->user.name, a->name) == 0) return true;
    return err_set(e, ERR_INVALID, "name: this invitation is for %s", out->user.name);
}

static bool look_at_invitation(struct db_connection *c, void *argument, struct err *e) {
    struct acceptance *a = argument;
    struct invitation n;
    return find_invitation(c, a, &n, e) && refuse_taken(c, a->name, e);
}

bool users_check_invitation(struct db *db, const char *secret, const char *name,
                            int64_t now_wall_ms, struct err *e) {
    struct acceptance a = {.secret = secret, .name = name, .now_ms = now_wall_ms};
    return check_name(name, e) && db_read(db, look_at_invitation, &a, e);
}

static bool accept(struct db_connection *c, void *argument, struct err *e) {
    struct acceptance *a = argument;
    struct invitation n;
    char principal[64];
    if (!find_invitation(c, a, &n, e) || !refuse_taken(c, a->name, e)) return false;
    a->user = n.user;
    text_cut(a->user.name, sizeof a->user.name, a->name);
    a->user.created_at_ms = a->now_ms;
    a->user.expires_at_ms = 0;
    snprintf(principal, sizeof principal, "user:%s", a->name);
    return db_exec(c, Q_INVITATION_DELETE, e, "s", n.id) &&
           db_exec(c, Q_USER_INSERT, e, "ssssis", a->user.name, a->user.role, a->user.scope,
                   a->password, a->now_ms, a->user.created_by) &&
           events_add_change(c, e, "user.created", a->user.name, principal, NULL,
                             "user %s took the invitation of %s, with role %s", a->user.name,
                             a->user.created_by, a->user.role);
}

bool users_accept(struct db *db, const char *secret, const char *name, const char *password,
                  int64_t now_wall_ms, struct user *out, struct err *e) {
    struct acceptance a = {
        .secret = secret, .name = name, .password = password, .now_ms = now_wall_ms};
    if (!check_name(name, e) || !db_write(db, accept, &a, e)) return false;
    *out = a.user;
    return true;
}

struct finding {
    const char *name;
    struct user *out;
    char *password;
};

static void read_user(struct db_row *row, struct user *out) {
    *out = (struct user){.created_at_ms = db_column_int(row, 4)};
    text_cut(out->name, sizeof out->name, db_column_text(row, 0));
    text_cut(out->role, sizeof out->role, db_column_text(row, 1));
    text_cut(out->scope, sizeof out->scope, db_column_text(row, 2));
    text_cut(out->created_by, sizeof out->created_by, db_column_text(row, 5));
}

static bool take_user(struct db_row *row, void *argument, struct err *e) {
    struct finding *f = argument;
    (void)e;
    read_user(row, f->out);
    text_cut(f->password, PASSWORD_HASH_SIZE, db_column_text(row, 3));
    return true;
}

static bool find_user(struct db_connection *c, void *argument, struct err *e) {
    struct finding *f = argument;
    return db_one(c, Q_USER_FIND, take_user, f, e, "s", f->name);
}

bool users_find(struct db *db, const char *name, struct user *out,
                char password[PASSWORD_HASH_SIZE], struct err *e) {
    struct finding f = {name, out, password};
    return db_read(db, find_user, &f, e);
}

struct user_list {
    struct user *users;
    size_t count;
};

static struct user *next_of(struct user_list *l) {
    l->users = memory_resize(l->users, l->count + 1, sizeof *l->users);
    return &l->users[l->count++];
}

static bool list_user(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    read_user(row, next_of(argument));
    return true;
}

static bool list_invitation(struct db_row *row, void *argument, struct err *e) {
    struct invitation n;
    if (!take_invitation(row, &n, e)) return false;
    memcpy(n.user.invitation, n.id, sizeof n.id);
    *next_of(argument) = n.user;
    return true;
}

static bool list_all(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_USER_LIST, list_user, argument, e, "") &&
           db_query(c, Q_INVITATION_LIST, list_invitation, argument, e, "i", clock_wall_ms());
}

bool users_list(struct db *db, struct user **out, size_t *count, struct err *e) {
    struct user_list l = {0};
    if (!db_read(db, list_all, &l, e)) {
        free(l.users);
        return false;
    }
    *out = l.users;
    *count = l.count;
    return true;
}

struct removal {
    const char *name, *principal;
};

static bool remove_user(struct db_connection *c, void *argument, struct err *e) {
    const struct removal *r = argument;
    if (!db_exec(c, Q_SESSION_DELETE_OF, e, "s", r->name) ||
        !db_exec(c, Q_INVITATION_DELETE_OF, e, "s", r->name))
        return false;
    int64_t invitations = db_changed_rows(c);
    if (!db_exec(c, Q_USER_DELETE, e, "s", r->name)) return false;
    if (db_changed_rows(c) + invitations == 0) {
        err_set(e, ERR_NOT_FOUND, "no user %.64s", r->name);
        return err_hint(e, "gridctl user list shows the users");
    }
    return events_add_change(c, e, "user.removed", r->name, r->principal, NULL,
                             "user %s was removed", r->name);
}

bool users_remove(struct db *db, const char *name, const char *principal, struct err *e) {
    struct removal r = {name, principal};
    return db_write(db, remove_user, &r, e);
}
