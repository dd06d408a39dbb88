#include "cli/trust_pin.h"

#include "cli/api.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/join.h"
#include "lib/tuf_client.h"

#include <stdio.h>
#include <string.h>

struct pin {
    struct api *api;
    const char *expected; /* VERSION.SHA256 of the root to begin with; "": that of the first use */
    char directory[PATH_MAX];
};

static bool load(void *argument, const char *file, struct text *out, struct err *e) {
    const struct pin *p = argument;
    char path[PATH_MAX];
    return file_join(path, sizeof path, p->directory, file, e) &&
           file_read(path, TUF_TARGETS_MAX_BYTES, out, e);
}

static bool save(void *argument, const char *file, const char *bytes, size_t length,
                 struct err *e) {
    const struct pin *p = argument;
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, p->directory, file, e)) return false;
    return bytes != NULL ? file_write_durable(path, bytes, length, 0644, e)
                         : file_remove_durable(path, e);
}

static bool fetch(void *argument, const char *file, size_t max_bytes, struct text *out,
                  struct err *e) {
    const struct pin *p = argument;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct http_call get = {.method = "GET", .answer_max_bytes = max_bytes};
    text_add(&path, "/tuf/metadata");
    api_path_add(&path, file);
    if (!api_call(p->api, &get, text_value(&path), &answer, e)) return false;
    text_add_bytes(out, text_value(&answer.body), answer.body.length);
    return true;
}

static bool find_expected(struct pin *p, struct err *e) {
    const char *named = p->api->settings->trust.root;
    char sha256[SHA256_HEX_SIZE];
    int64_t version = 0;
    p->expected = named[0] != '\0' ? named : p->api->at.root;
    if (p->expected[0] == '\0' || join_parse_root(p->expected, &version, sha256)) return true;
    err_set(e, ERR_USAGE, "%.100s is no root: VERSION.SHA256 is expected", p->expected);
    return err_hint(e, "root= of a join string is one; gridctl key show -o json has the digest");
}

/* "http%3A%2F%2F127.0.0.1%3A7001"; what follows from a root that was named has a place of its own.
 */
static bool find_directory(struct pin *p, struct err *e) {
    char config[PATH_MAX];
    OWN_TEXT struct text name = TEXT_EMPTY;
    if (!api_connect(p->api, e) || !find_expected(p, e)) return false;
    if (!discover_config_directory(config))
        return err_set(e, ERR_INVALID,
                       "HOME is not set, so there is no place to keep what is believed");
    text_add(&name, "tuf/");
    encode_url(&name, p->api->at.url);
    if (p->expected[0] != '\0') text_add_format(&name, ".%s", p->expected);
    return file_join(p->directory, sizeof p->directory, config, text_value(&name), e);
}

static void digest_of(const struct text *root, char sha256[SHA256_HEX_SIZE]) {
    unsigned char digest[SHA256_SIZE];
    sha256_bytes(text_value(root), root->length, digest);
    encode_hex(digest, sizeof digest, sha256);
}

/* Nothing proves it: whoever signs upon it should know, and can ask somebody who knows it. */
static void tell_first(const struct invocation *call, const struct text *root) {
    char sha256[SHA256_HEX_SIZE];
    digest_of(root, sha256);
    invocation_note(
        call,
        "nothing was known here of this master's keys: its root is believed from now on "
        "(SHA-256 %s; gridctl key show -o json elsewhere says the same)",
        sha256);
}

static bool fetch_expected(struct pin *p, struct text *out, struct err *e) {
    char file[48], promised[SHA256_HEX_SIZE], sha256[SHA256_HEX_SIZE];
    int64_t version = 0;
    if (!join_parse_root(p->expected, &version, promised))
        return err_set(e, ERR_INTERNAL, "no root is expected");
    snprintf(file, sizeof file, "%lld.root.json", (long long)version);
    if (!fetch(p, file, TUF_ROOT_MAX_BYTES, out, e)) return err_wrap(e, "%s", file);
    digest_of(out, sha256);
    if (strcmp(sha256, promised) == 0) return true;
    err_set(e, ERR_UNTRUSTED, "the master's %s is not the root that was named: its SHA-256 is %s",
            file, sha256);
    return err_hint(e, "somebody may stand in between, or it is of another grid");
}

/* The root that was named, else that of the first use. */
static bool ensure_root(const struct invocation *call, struct pin *p, struct err *e) {
    OWN_TEXT struct text root = TEXT_EMPTY;
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, p->directory, "root.json", e)) return false;
    if (access(path, F_OK) == 0) return true;
    bool named = p->expected[0] != '\0';
    if (!(named ? fetch_expected(p, &root, e)
                : fetch(p, "root.json", TUF_ROOT_MAX_BYTES, &root, e)) ||
        !file_make_directory(p->directory, 0700, e) ||
        !save(p, "root.json", text_value(&root), root.length, e))
        return false;
    if (!named) tell_first(call, &root);
    return true;
}

static bool load_all(struct pin *p, struct text files[TUF_ROLE_COUNT], struct err *e) {
    char file[32];
    for (unsigned role = 0; role < TUF_ROLE_COUNT; role++) {
        snprintf(file, sizeof file, "%s.json", tuf_role_name(role));
        if (!load(p, file, &files[role], e)) return false;
    }
    return true;
}

bool trust_pin_refresh(struct invocation *call, struct text files[TUF_ROLE_COUNT], struct err *e) {
    OWN(tuf_client) struct tuf_client *client = NULL;
    struct pin p = {.api = call->api, .expected = ""};
    const struct tuf_client_options options = {
        .argument = &p, .load = load, .save = save, .fetch = fetch};
    if (!find_directory(&p, e) || !ensure_root(call, &p, e)) return false;
    if (!tuf_client_open(&client, &options, e)) return err_wrap(e, "%s", p.directory);
    if (!tuf_client_refresh(client, clock_wall_ms(), e)) {
        if (tuf_client_attack(client) != TUF_NO_ATTACK)
            err_hint(e, "if this is another grid than before at this URL: rm -r '%.140s'",
                     p.directory);
        return err_wrap(e, "the master's metadata");
    }
    return load_all(&p, files, e);
}
