#include "cli/trust_fetch.h"

#include "cli/answers.h"
#include "cli/api.h"
#include "cli/trust_pin.h"

#include <string.h>

static bool fetch_proven(struct invocation *call, struct trust_base *out, struct err *e) {
    struct text *files = out->proven;
    return trust_pin_refresh(call, files, e) && trust_file_parse(&files[TUF_ROOT], &out->root, e) &&
           trust_file_parse(&files[TUF_TARGETS], &out->targets, e);
}

static bool read_given(const char *path, struct trust_base *out, struct err *e) {
    OWN_TRUST_FILE struct trust_file file = {0};
    if (!trust_file_read(path, &file, e)) return false;
    struct trust_file *place = file.role == TUF_ROOT ? &out->root : &out->targets;
    if (trust_file_present(place))
        return err_set(e, ERR_USAGE, "--metadata names two files of %s", tuf_role_name(file.role));
    *place = file;
    file = (struct trust_file){0};
    return true;
}

static bool given(const struct invocation *call) {
    const char *files = call->settings->trust.metadata;
    return files != NULL && *files != '\0';
}

bool trust_fetch(struct invocation *call, struct trust_base *out, struct err *e) {
    const char *files = call->settings->trust.metadata;
    char path[PATH_MAX];
    if (!given(call)) return fetch_proven(call, out, e);
    while (settings_next(&files, path))
        if (!read_given(path, out, e)) return false;
    return true;
}

static void add_here(const struct answer_trust *trust, struct tuf_signers *here) {
    for (size_t r = 0; r < trust->roles_count; r++) {
        const struct answer_trust_role *role = &trust->roles[r];
        for (size_t k = 0; k < role->keys_count; k++) {
            if (!role->keys[k].here) continue;
            here->key_ids =
                memory_resize(here->key_ids, here->key_count + 1, sizeof *here->key_ids);
            text_cut(here->key_ids[here->key_count++], TUF_KEY_ID_SIZE, role->keys[k].id);
        }
    }
}

bool trust_fetch_all(struct invocation *call, struct trust_base *out, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    if (given(call)) return trust_fetch(call, out, e);
    out->master = memory_zeroed(1, sizeof *out->master);
    if (!api_get(call->api, "/api/trust", &answer, e) ||
        !answer_decode(&answer_trust_schema, &answer, out->master, e) ||
        !fetch_proven(call, out, e))
        return false;
    add_here(out->master, &out->here);
    return true;
}
