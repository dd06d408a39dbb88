#include "agent/identity.h"

#include "lib/clock.h"
#include "lib/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_FILE = 1024, CA_FILE = 16 * 1024 };

bool identity_enrolled(const struct state *s) {
    char path[STATE_PATH_SIZE];
    return access(state_path(s, path, "identity/id"), F_OK) == 0;
}

/* One line of a small file, without its end. */
static bool read_line(const char *path, char *out, size_t size, struct err *e) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    if (!file_read(path, SMALL_FILE, &content, e)) return false;
    if (content.length == 0) return err_set(e, ERR_CORRUPT, "%s is empty", path);
    content.data[strcspn(content.data, "\r\n")] = '\0';
    return text_copy(out, size, content.data) || err_set(e, ERR_CORRUPT, "%s is too long", path);
}

static bool read_address(const struct state *s, struct identity *out, struct err *e) {
    char path[STATE_PATH_SIZE];
    char line[JOIN_HOST_SIZE + 16];
    return read_line(state_path(s, path, "identity/address"), line, sizeof line, e) &&
           join_parse_address(line, 7000, out->master_host, &out->master_port, e);
}

static void read_token_id(const struct state *s, struct identity *out) {
    char path[STATE_PATH_SIZE];
    if (!read_line(state_path(s, path, "identity/token"), out->token_id, sizeof out->token_id,
                   NULL))
        out->token_id[0] = '\0';
}

static bool is_there(const struct state *s, const char *name) {
    char path[STATE_PATH_SIZE];
    return access(state_path(s, path, "identity/%s", name), F_OK) == 0;
}

/* Agents that enrolled without TLS, or before there was a root, have neither. */
static bool read_trust(const struct state *s, struct identity *out, struct err *e) {
    char path[STATE_PATH_SIZE];
    char line[32 + SHA256_HEX_SIZE];
    struct text ca = TEXT_EMPTY;
    if (is_there(s, "root")) {
        if (!read_line(state_path(s, path, "identity/root"), line, sizeof line, e)) return false;
        if (!join_parse_root(line, &out->root_version, out->root_sha256))
            return err_set(e, ERR_CORRUPT, "%s is no VERSION.SHA256", path);
    }
    if (!is_there(s, "ca.pem")) return true;
    if (!file_read(state_path(s, path, "identity/ca.pem"), CA_FILE, &ca, e)) return false;
    out->ca_pem = text_take(&ca);
    return out->ca_pem != NULL || err_set(e, ERR_CORRUPT, "%s is empty", path);
}

static bool read_all(const struct state *s, struct identity *out, struct err *e) {
    char path[STATE_PATH_SIZE];
    return read_line(state_path(s, path, "identity/id"), out->agent_id, sizeof out->agent_id, e) &&
           wire_agent_id_check(out->agent_id, e) &&
           sign_secret_read(state_path(s, path, "identity/agent.key"), NULL, &out->key, e) &&
           sign_public_read(state_path(s, path, "identity/master.pub"), &out->master_key, e) &&
           sign_public_read(state_path(s, path, "identity/release.pub"), &out->release_key, e) &&
           read_address(s, out, e) && read_trust(s, out, e);
}

bool identity_load(const struct state *s, struct identity *out, struct err *e) {
    *out = (struct identity){0};
    read_token_id(s, out);
    if (read_all(s, out, e)) return true;
    identity_fini(out);
    if (e != NULL) e->code = ERR_CORRUPT;
    err_wrap(e, "identity of this agent");
    return err_hint(e, "restore it from a backup, or remove %s/identity and enroll again", s->root);
}

bool identity_key(const struct state *s, struct sign_secret **out, struct err *e) {
    char path[STATE_PATH_SIZE];
    state_path(s, path, "identity/agent.key");
    if (access(path, F_OK) == 0) return sign_secret_read(path, NULL, out, e);
    OWN(sign_secret) struct sign_secret *key = NULL;
    if (!sign_generate(&key, e) || !sign_secret_write(key, path, e)) return false;
    *out = TAKE(key);
    return true;
}

static bool write_line(const struct state *s, const char *name, const char *line, struct err *e) {
    char path[STATE_PATH_SIZE];
    char content[SMALL_FILE];
    int length = snprintf(content, sizeof content, "%s\n", line);
    return file_write_durable(state_path(s, path, "identity/%s", name), content, (size_t)length,
                              0600, e);
}

static bool write_trust(const struct state *s, const struct identity *identity, struct err *e) {
    char path[STATE_PATH_SIZE];
    char root[32 + SHA256_HEX_SIZE];
    const char *ca = identity->ca_pem;
    snprintf(root, sizeof root, "%" PRId64 ".%s", identity->root_version, identity->root_sha256);
    return (identity->root_version == 0 || write_line(s, "root", root, e)) &&
           (ca == NULL ||
            file_write_durable(state_path(s, path, "identity/ca.pem"), ca, strlen(ca), 0600, e));
}

bool identity_save(const struct state *s, const struct identity *identity, struct err *e) {
    char path[STATE_PATH_SIZE];
    char address[JOIN_HOST_SIZE + 16];
    bool v6 = strchr(identity->master_host, ':') != NULL;
    snprintf(address, sizeof address, v6 ? "[%s]:%d" : "%s:%d", identity->master_host,
             identity->master_port);
    return sign_public_write(&identity->master_key, state_path(s, path, "identity/master.pub"),
                             e) &&
           sign_public_write(&identity->release_key, state_path(s, path, "identity/release.pub"),
                             e) &&
           write_trust(s, identity, e) && write_line(s, "address", address, e) &&
           write_line(s, "token", identity->token_id, e) &&
           write_line(s, "id", identity->agent_id, e);
}

bool identity_restore(const struct state *s, const struct identity *identity, struct err *e) {
    char path[STATE_PATH_SIZE];
    state_path(s, path, "identity/agent.key");
    return (access(path, F_OK) == 0 || sign_secret_write(identity->key, path, e)) &&
           identity_save(s, identity, e);
}

static bool move(const struct state *s, const char *from, const char *to, struct err *e) {
    return (rename(from, to) == 0 || err_errno(e, errno, "rename %s to %s", from, to)) &&
           file_sync_directory(s->root, e);
}

/* The unfinished identity of an enrollment that failed. */
static bool drop_unfinished(const struct state *s, struct err *e) {
    static const char *const files[] = {"agent.key", "master.pub", "release.pub", "address",
                                        "token",     "root",       "ca.pem"};
    char path[STATE_PATH_SIZE];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(state_path(s, path, "identity/%s", files[i]));
    bool gone = rmdir(state_path(s, path, "identity")) == 0 || errno == ENOENT;
    return gone || err_errno(e, errno, "remove %s", path);
}

bool identity_settle(const struct state *s, struct err *e) {
    char place[STATE_PATH_SIZE], aside[STATE_PATH_SIZE], removed[STATE_PATH_SIZE];
    state_path(s, place, "identity");
    if (access(state_path(s, aside, "identity.aside"), F_OK) != 0) return true;
    if (!identity_enrolled(s)) return drop_unfinished(s, e) && move(s, aside, place, e);
    state_path(s, removed, "identity.removed-%lld", (long long)clock_wall_ms());
    return move(s, aside, removed, e);
}

bool identity_put_aside(const struct state *s, struct err *e) {
    char place[STATE_PATH_SIZE], aside[STATE_PATH_SIZE];
    return identity_settle(s, e) &&
           move(s, state_path(s, place, "identity"), state_path(s, aside, "identity.aside"), e) &&
           file_make_directory(place, 0700, e);
}

void identity_fini(struct identity *identity) {
    if (identity->key != NULL) sign_secret_free(identity->key);
    identity->key = NULL;
    free(TAKE(identity->ca_pem));
}
