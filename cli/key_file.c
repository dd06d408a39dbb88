#include "cli/key_file.h"

#include "cli/listing.h"
#include "cli/terminal.h"
#include "lib/file.h"
#include "lib/secret.h"

#include <errno.h>
#include <fcntl.h>

/* A refusal that brings a hint is about the file; one without is about the password. */
static bool password_refused(const struct err *e) {
    return e->code == ERR_DENIED && e->hint[0] == '\0';
}

static bool ask_and_read(const char *path, struct sign_secret **out, struct err *e) {
    char password[512];
    bool read = terminal_secret("password of the key", password, sizeof password, e) &&
                sign_secret_read(path, password, out, e);
    secret_wipe(password, sizeof password);
    return read;
}

bool key_file_secret(const char *path, struct sign_secret **out, struct err *e) {
    const char *environment = getenv("GRID_KEY_PASSWORD");
    if (sign_secret_read(path, environment, out, e)) return true;
    bool ask = password_refused(e) && environment == NULL && terminal_present();
    if (ask && ask_and_read(path, out, e)) return true;
    if (password_refused(e))
        err_hint(e, "its password is read from GRID_KEY_PASSWORD, else from the terminal");
    return err_wrap(e, "key");
}

/* Read without copies that would stay in memory: it may be a secret key. */
static bool read_public(const char *path, struct sign_public *out, struct err *e) {
    char content[4096];
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd >= 0 ? file_read_at(fd, content, sizeof content - 1, 0) : -1;
    if (length < 0) return err_errno(e, errno, "%s", path);
    content[length] = '\0';
    bool parsed = sign_public_parse(content, out, e);
    secret_wipe(content, sizeof content);
    return parsed;
}

bool key_file_public(const char *path, struct sign_public *out, struct sign_secret **secret,
                     struct err *e) {
    OWN(sign_secret) struct sign_secret *read = NULL;
    if (secret != NULL) *secret = NULL;
    if (read_public(path, out, e)) return true;
    if (e->code != ERR_INVALID) return err_wrap(e, "key");
    if (!key_file_secret(path, &read, e)) return false;
    *out = *sign_secret_public(read);
    if (secret != NULL) *secret = TAKE(read);
    return true;
}

bool key_file_print(const struct invocation *call, const struct sign_public *key, struct err *e) {
    char id[SIGN_KEY_ID_HEX_SIZE], line[SIGN_PUBLIC_TEXT_SIZE];
    sign_key_id(key, id);
    sign_public_text(key, line);
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", id);
    if (call->format == OUTPUT_JSON)
        return listing_line(e, "{\"key_id\": \"%s\", \"public_key\": \"%s\"}", id, line);
    return listing_line(e, "untrusted comment: minisign public key %s\n%s", id, line);
}

void key_ring_fini(struct key_ring *r) {
    for (size_t i = 0; i < r->count; i++) sign_secret_free(r->list[i]);
    r->count = 0;
}

bool key_ring_add(struct key_ring *r, struct sign_secret *key, struct err *e) {
    if (r->count < KEY_RING_MAX) {
        r->list[r->count++] = key;
        return true;
    }
    sign_secret_free(key);
    return err_set(e, ERR_USAGE, "more than %d keys at once", KEY_RING_MAX);
}

bool key_ring_read(struct key_ring *r, const char *paths, struct err *e) {
    char path[PATH_MAX];
    while (settings_next(&paths, path)) {
        struct sign_secret *key = NULL;
        if (!key_file_secret(path, &key, e) || !key_ring_add(r, key, e)) return false;
    }
    return true;
}
