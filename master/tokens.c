#include "master/tokens.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/labels.h"
#include "lib/log.h"
#include "master/events.h"
#include "master/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define JOIN_EXPIRY_S 3600
#define EXPIRY_MAX_S (INT64_C(10) * 366 * 24 * 3600)
#define USES_MAX 1000000
#define KEEP_EXPIRED_MS (INT64_C(24) * 3600 * 1000)

void token_clear(struct token *t) {
    free(t->labels);
    *t = (struct token){0};
}

static bool check_api_request(const struct token_request *q, struct err *e) {
    enum http_role role = HTTP_PUBLIC;
    if (q->role == NULL || !http_role_parse(q->role, &role) || role == HTTP_PUBLIC)
        return err_set(e, ERR_INVALID, "role: one of viewer, operator, publisher, admin");
    if (q->principal_role < HTTP_ADMIN)
        return err_set(e, ERR_DENIED, "API tokens are made by admins only");
    if (q->labels != NULL && *q->labels != '\0')
        return err_set(e, ERR_INVALID, "labels: only join tokens assign labels");
    if (q->uses != 0) return err_set(e, ERR_INVALID, "uses: only join tokens count uses");
    return true;
}

static const char *own_scope(const struct token_request *q) {
    return q->principal_scope != NULL ? q->principal_scope : "";
}

static bool refuse_scope(const struct token_request *q, const char *what, struct err *e) {
    err_set(e, ERR_DENIED, "%s beyond the scope \"%s\" of who asks", what, own_scope(q));
    return err_hint(e, "begin with the terms of that scope");
}

/* Nobody lets others do, or join, what lies outside of their own scope. */
static bool check_scope(const struct token_request *q, const struct token *t, struct err *e) {
    bool join = strcmp(t->kind, "join") == 0;
    if (join && t->scope[0] != '\0')
        return err_set(e, ERR_INVALID, "scope: only API tokens have one");
    if (join) return labels_match(t->labels, own_scope(q)) || refuse_scope(q, "labels", e);
    return scope_covers(own_scope(q), t->scope) || refuse_scope(q, "a scope", e);
}

static bool check_request(const struct token_request *q, struct err *e) {
    if (q->kind == NULL || (strcmp(q->kind, "join") != 0 && strcmp(q->kind, "api") != 0))
        return err_set(e, ERR_INVALID, "kind: join or api");
    if (q->expires_s < 0 || q->expires_s > EXPIRY_MAX_S)
        return err_set(e, ERR_INVALID, "expires_s: from 0 to %" PRId64, EXPIRY_MAX_S);
    if (strcmp(q->kind, "api") == 0) return check_api_request(q, e);
    if (q->role != NULL && *q->role != '\0')
        return err_set(e, ERR_INVALID, "role: only API tokens have one");
    if (q->uses < -1 || q->uses > USES_MAX)
        return err_set(e, ERR_INVALID, "uses: from 1 to %d, or -1 for no limit", USES_MAX);
    return true;
}

struct creation {
    const struct token *token;
    const char *hash;
};

static bool insert_token(struct db_connection *c, void *argument, struct err *e) {
    const struct creation *n = argument;
    const struct token *t = n->token;
    return db_exec(c, Q_TOKEN_INSERT, e, "sssssiiiss", t->id, t->kind, n->hash, t->role,
                   t->labels != NULL ? t->labels : "", t->uses_left, t->expires_at_ms,
                   t->created_at_ms, t->created_by, t->scope) &&
           events_add_change(c, e, "token.created", t->id, t->created_by, NULL,
                             "%s token %s%s%s%s%s was created", t->kind, t->id,
                             *t->role != '\0' ? " with role " : "", t->role,
                             *t->scope != '\0' ? " and scope " : "", t->scope);
}

static bool fill_token(const struct token_request *q, int64_t now_wall_ms, struct token *t,
                       struct err *e) {
    bool join = strcmp(q->kind, "join") == 0;
    int64_t expires_s = q->expires_s == 0 && join ? JOIN_EXPIRY_S : q->expires_s;
    OWN_TEXT struct text labels = TEXT_EMPTY;
    if (q->labels != NULL && !labels_parse(q->labels, &labels, e)) return false;
    *t = (struct token){.uses_left = join && q->uses == 0 ? 1
                                     : join               ? q->uses
                                                          : -1,
                        .expires_at_ms = expires_s == 0 ? 0 : now_wall_ms + expires_s * 1000,
                        .created_at_ms = now_wall_ms};
    if (!text_copy(t->kind, sizeof t->kind, q->kind) ||
        !text_copy(t->role, sizeof t->role, q->role != NULL ? q->role : "") ||
        !text_copy(t->created_by, sizeof t->created_by, q->principal))
        return err_set(e, ERR_INVALID, "token: a field is too long");
    const char *scope = q->scope != NULL ? q->scope : join ? "" : own_scope(q);
    if (!scope_parse(scope, t->scope, e)) return false;
    t->labels = text_take(&labels);
    return true;
}

bool tokens_create(struct db *db, const struct token_request *request, int64_t now_wall_ms,
                   struct token *out, char secret[SECRET_TEXT_SIZE], struct err *e) {
    char hash[SECRET_HASH_SIZE];
    if (!check_request(request, e) || !fill_token(request, now_wall_ms, out, e)) return false;
    if (!check_scope(request, out, e)) {
        token_clear(out);
        return false;
    }
    secret_generate(strcmp(out->kind, "join") == 0 ? "gj" : "gt", out->id, secret, hash);
    struct creation n = {out, hash};
    if (db_write(db, insert_token, &n, e)) return true;
    token_clear(out);
    secret_wipe(secret, SECRET_TEXT_SIZE);
    return false;
}

bool tokens_create_admin(struct db *db, const char *state_directory, struct err *e) {
    char path[PATH_MAX], secret[SECRET_TEXT_SIZE], line[SECRET_TEXT_SIZE + 1];
    if (!file_join(path, sizeof path, state_directory, "admin.token", e)) return false;
    const struct token_request request = {
        .kind = "api", .role = "admin", .principal = "first-start", .principal_role = HTTP_ADMIN};
    struct token token;
    if (!tokens_create(db, &request, clock_wall_ms(), &token, secret, e)) return false;
    snprintf(line, sizeof line, "%s\n", secret);
    bool written = file_write_durable(path, line, strlen(line), 0600, e);
    secret_wipe(secret, sizeof secret);
    secret_wipe(line, sizeof line);
    token_clear(&token);
    return written;
}

struct found {
    struct token token;
    char hash[SECRET_HASH_SIZE];
};

static void read_token(struct db_row *row, struct token *t) {
    *t = (struct token){.uses_left = db_column_int(row, 5),
                        .expires_at_ms = db_column_int(row, 6),
                        .created_at_ms = db_column_int(row, 7)};
    snprintf(t->id, sizeof t->id, "%s", db_column_text(row, 0));
    snprintf(t->kind, sizeof t->kind, "%s", db_column_text(row, 1));
    snprintf(t->role, sizeof t->role, "%s", db_column_text(row, 3));
    snprintf(t->created_by, sizeof t->created_by, "%s", db_column_text(row, 8));
    snprintf(t->scope, sizeof t->scope, "%s", db_column_text(row, 9));
    t->labels = text_duplicate(db_column_text(row, 4));
}

static bool take_found(struct db_row *row, void *argument, struct err *e) {
    struct found *f = argument;
    (void)e;
    read_token(row, &f->token);
    snprintf(f->hash, sizeof f->hash, "%s", db_column_text(row, 2));
    return true;
}

struct lookup {
    const char *id;
    struct found found;
};

static bool find_token(struct db_connection *c, void *argument, struct err *e) {
    struct lookup *l = argument;
    return db_one(c, Q_TOKEN_FIND, take_found, &l->found, e, "s", l->id);
}

struct token_list {
    struct token *tokens;
    size_t count;
};

static bool take_listed(struct db_row *row, void *argument, struct err *e) {
    struct token_list *l = argument;
    (void)e;
    l->tokens = memory_resize(l->tokens, l->count + 1, sizeof *l->tokens);
    read_token(row, &l->tokens[l->count++]);
    return true;
}

static bool list_tokens(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_TOKEN_LIST, take_listed, argument, e, "");
}

bool tokens_list(struct db *db, struct token **out, size_t *count, struct err *e) {
    struct token_list l = {0};
    if (!db_read(db, list_tokens, &l, e)) {
        tokens_list_free(l.tokens, l.count);
        return false;
    }
    *out = l.tokens;
    *count = l.count;
    return true;
}

void tokens_list_free(struct token *tokens, size_t count) {
    for (size_t i = 0; i < count; i++) token_clear(&tokens[i]);
    free(tokens);
}

/* One sentence for every cause, so that nobody learns which part was right. */
static bool refuse(struct err *e) {
    err_set(e, ERR_UNAUTHENTICATED, "the token is unknown, expired, used up or revoked");
    return err_hint(e, "ask for a new one: gridctl token create, or gridctl agent join-command");
}

static bool hash_matches(const char *secret, const char *stored) {
    char hash[SECRET_HASH_SIZE];
    secret_hash(secret, hash);
    return secret_equal(hash, stored);
}

/* The token that this is the secret of; "token_clear" it. */
static bool find_secret(struct db *db, const char *kind, const char *secret, struct token *out,
                        struct err *e) {
    char id[SECRET_ID_SIZE];
    struct err why;
    if (!secret_id(kind, secret, id, &why)) return refuse(e);
    struct lookup l = {.id = id};
    if (!db_read(db, find_token, &l, &why))
        return why.code == ERR_NOT_FOUND ? refuse(e) : (*e = why, false);
    *out = l.found.token;
    if (hash_matches(secret, l.found.hash)) return true;
    token_clear(out);
    return refuse(e);
}

static bool is_current(const struct token *t, int64_t now_wall_ms) {
    return t->expires_at_ms == 0 || t->expires_at_ms > now_wall_ms;
}

bool tokens_authenticate(struct db *db, const char *secret, int64_t now_wall_ms,
                         enum http_role *role, char principal[64], char scope[SCOPE_SIZE],
                         struct err *e) {
    struct token t = {0};
    if (!find_secret(db, "gt", secret, &t, e)) return false;
    bool valid =
        strcmp(t.kind, "api") == 0 && is_current(&t, now_wall_ms) && http_role_parse(t.role, role);
    snprintf(principal, 64, "token:%s", t.id);
    memcpy(scope, t.scope, SCOPE_SIZE);
    token_clear(&t);
    return valid || refuse(e);
}

bool tokens_check(struct db *db, const char *principal, int64_t now_wall_ms, struct err *e) {
    static const char prefix[] = "token:";
    struct err why;
    struct lookup l = {.id = principal + sizeof prefix - 1};
    if (strncmp(principal, prefix, sizeof prefix - 1) != 0) return refuse(e);
    if (!db_read(db, find_token, &l, &why))
        return why.code == ERR_NOT_FOUND ? refuse(e) : (*e = why, false);
    bool current = is_current(&l.found.token, now_wall_ms);
    token_clear(&l.found.token);
    return current || refuse(e);
}

bool tokens_may_join(struct db *db, const char *secret, int64_t now_wall_ms, char principal[64],
                     struct err *e) {
    struct token t = {0};
    if (!find_secret(db, "gj", secret, &t, e)) return false;
    bool valid = strcmp(t.kind, "join") == 0 && is_current(&t, now_wall_ms) && t.uses_left != 0;
    snprintf(principal, 64, "join:%s", t.id);
    token_clear(&t);
    return valid || refuse(e);
}

bool tokens_consume(struct db_connection *c, const char *secret, int64_t now_wall_ms, char **labels,
                    char principal[64], struct err *e) {
    char id[SECRET_ID_SIZE];
    struct err why;
    struct found f = {0};
    if (!secret_id("gj", secret, id, &why)) return refuse(e);
    if (!db_one(c, Q_TOKEN_FIND, take_found, &f, &why, "s", id))
        return why.code == ERR_NOT_FOUND ? refuse(e) : (*e = why, false);
    bool matches = hash_matches(secret, f.hash);
    char *assigned = TAKE(f.token.labels);
    token_clear(&f.token);
    if (!matches || !db_exec(c, Q_TOKEN_CONSUME, &why, "si", id, now_wall_ms) ||
        db_changed_rows(c) != 1) {
        free(assigned);
        return refuse(e);
    }
    snprintf(principal, 64, "token:%s", id);
    *labels = assigned;
    return true;
}

struct revocation {
    const char *id, *principal;
};

static bool delete_token(struct db_connection *c, void *argument, struct err *e) {
    const struct revocation *r = argument;
    if (!db_exec(c, Q_TOKEN_DELETE, e, "s", r->id)) return false;
    if (db_changed_rows(c) == 0) {
        err_set(e, ERR_NOT_FOUND, "no token %s", r->id);
        return err_hint(e, "gridctl token list shows the ids");
    }
    return events_add_change(c, e, "token.revoked", r->id, r->principal, NULL,
                             "token %s was revoked", r->id);
}

bool tokens_revoke(struct db *db, const char *id, const char *principal, struct err *e) {
    struct revocation r = {id, principal};
    return db_write(db, delete_token, &r, e);
}

static bool prune_tokens(struct db_connection *c, void *argument, struct err *e) {
    return db_exec(c, Q_TOKEN_PRUNE, e, "i", *(int64_t *)argument);
}

bool tokens_prune(struct db *db, int64_t now_wall_ms, struct err *e) {
    int64_t before = now_wall_ms - KEEP_EXPIRED_MS;
    return db_write(db, prune_tokens, &before, e);
}
