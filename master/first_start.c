#include "master/first_start.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/join.h"
#include "lib/log.h"
#include "master/certificates_names.h"
#include "master/master.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_SIZE 256
#define URL_SIZE (HOST_SIZE + 32)

struct grid_id {
    char *out;
};

static bool take_id(struct db_row *row, void *argument, struct err *e) {
    struct grid_id *g = argument;
    (void)e;
    snprintf(g->out, 33, "%s", db_column_text(row, 0));
    return true;
}

static bool read_id(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_META_GET, take_id, argument, e, "s", "grid_id");
}

/* A state that a backup gave back has none. Whoever may write here owns the grid anyway. */
static bool keep_admin_token(struct db *db, const char *state_directory, bool *missing,
                             struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, state_directory, "admin.token", e)) return false;
    *missing = access(path, F_OK) != 0;
    return !*missing || tokens_create_admin(db, state_directory, e);
}

bool first_start_state(struct db *db, const char *state_directory, char grid_id[33],
                       struct beginning *out, struct err *e) {
    struct grid_id g = {grid_id};
    *out = (struct beginning){.fresh = false};
    if (db_read(db, read_id, &g, e))
        return keep_admin_token(db, state_directory, &out->restored, e);
    if (e->code != ERR_NOT_FOUND) return false;
    out->fresh = true;
    random_hex(16, grid_id);
    return tokens_create_admin(db, state_directory, e);
}

static bool write_id(struct db_connection *c, void *argument, struct err *e) {
    return db_exec(c, Q_META_SET, e, "ss", "grid_id", (const char *)argument);
}

bool first_start_done(struct db *db, const char *grid_id, struct err *e) {
    char id[33];
    memcpy(id, grid_id, sizeof id);
    return db_write(db, write_id, id, e);
}

/* As a person in another directory can type it. */
static void absolute(const char *path, char out[PATH_MAX]) {
    if (realpath(path, out) == NULL) snprintf(out, PATH_MAX, "%s", path);
}

/* Under which people on other machines reach this one, where the master listens on all addresses: a
 * name that it was told, else the first address. */
static void reachable_host(const struct master *m, char out[HOST_SIZE]) {
    const char *told[] = {m->settings->tls_names, m->settings->host_names};
    snprintf(out, HOST_SIZE, "127.0.0.1");
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        size_t length = told[i] != NULL ? strcspn(told[i], ", \n") : 0;
        if (length == 0 || length >= HOST_SIZE || *told[i] == '*') continue;
        snprintf(out, HOST_SIZE, "%.*s", (int)length, told[i]);
        return;
    }
    const char **names = certificates_names(NULL);
    struct in_addr ipv4;
    for (const char **name = names; *name != NULL; name++)
        if (inet_pton(AF_INET, *name, &ipv4) == 1 && !join_is_loopback(*name)) {
            snprintf(out, HOST_SIZE, "%s", *name);
            break;
        }
    certificates_names_free(names);
}

/* The master's URL for people; true when gridctl on this machine goes by another one. */
static bool reachable_url(const struct master *m, char *out, size_t size) {
    char host[HOST_SIZE];
    bool any =
        strstr(m->http_url, "://0.0.0.0:") != NULL || strstr(m->http_url, "://[::]:") != NULL;
    if (any) reachable_host(m, host);
    bool v6 = any && strchr(host, ':') != NULL;
    if (any)
        snprintf(out, size, "http%s://%s%s%s:%d", m->certificates != NULL ? "s" : "", v6 ? "[" : "",
                 host, v6 ? "]" : "", m->http_port);
    else
        snprintf(out, size, "%s", m->http_url);
    return any;
}

/* The link of the first person to sign in: in a file of its own, and on the terminal of who starts
 * the master by hand. Never into what may become a log. */
static void invite_first(const struct master *m, const char *state) {
    const struct invitation_request request = {
        .name = "", .role = "admin", .principal = "first-start", .principal_role = HTTP_ADMIN};
    char secret[SECRET_TEXT_SIZE], path[PATH_MAX], url[URL_SIZE], link[URL_SIZE + 128];
    struct user user;
    struct err e;
    if (!users_invite(m->db, &request, clock_wall_ms(), &user, secret, &e) ||
        !file_join(path, sizeof path, state, "setup-link", &e)) {
        log_warn("master.no_setup_link", "error=%s", e.text);
        return;
    }
    (void)reachable_url(m, url, sizeof url);
    snprintf(link, sizeof link, "%s/#/setup?invitation=%s\n", url, secret);
    if (!file_write_durable(path, link, strlen(link), 0600, &e))
        log_warn("master.no_setup_link", "error=%s", e.text);
    else
        printf("Sign in at the console, once, within a day: %s",
               isatty(STDOUT_FILENO) == 1 ? link : "the link is in ");
    if (isatty(STDOUT_FILENO) != 1) printf("%s\n", path);
    secret_wipe(secret, sizeof secret);
    secret_wipe(link, sizeof link);
}

void first_start_help(const struct master *m) {
    char state[PATH_MAX], binaries[PATH_MAX], url[URL_SIZE], elsewhere[URL_SIZE + 16] = "";
    if (reachable_url(m, url, sizeof url)) snprintf(elsewhere, sizeof elsewhere, "--url %s ", url);
    absolute(m->settings->state, state);
    absolute(m->settings->binaries, binaries);
    printf("\nA new grid was made in %s. Its keys and the admin token are on this machine.\n"
           "Next, in another terminal:\n"
           "  export GRID_STATE=%s\n"
           "  gridctl status\n"
           "  cp storage-server-1.0.0-linux-x86_64 %s/    # publish a build\n"
           "  gridctl %sagent join-command    # add a machine\n",
           state, state, binaries, elsewhere);
    if (m->certificates != NULL)
        printf(
            "HTTP and bus speak TLS, by a CA of this grid: %s/tls/ca.pem, for browsers and curl.\n",
            state);
    invite_first(m, state);
}
