#include "master/view_trust.h"

#include "lib/clock.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

struct key_json {
    char id[TUF_KEY_ID_SIZE];
    char key_id[SIGN_KEY_ID_HEX_SIZE]; /* as minisign names it; "" for other kinds */
    bool here;
};
static const struct json_field key_fields[] = {
    J(JSON_STRING, struct key_json, id, 0),
    J(JSON_STRING, struct key_json, key_id, 0),
    J(JSON_BOOL, struct key_json, here, 0),
};
static const struct json_schema key_schema = JSON_SCHEMA(struct key_json, key_fields);

struct role_json {
    char name[16];
    int64_t version;
    char expires_at[CLOCK_RFC3339_SIZE];
    int64_t threshold;
    struct key_json *keys;
    size_t keys_count;
    char next[SIGN_PUBLIC_TEXT_SIZE];
};
static const struct json_field role_fields[] = {
    J(JSON_STRING, struct role_json, name, 0),
    J(JSON_INT, struct role_json, version, 0),
    J(JSON_STRING, struct role_json, expires_at, 0),
    J(JSON_INT, struct role_json, threshold, 0),
    J_LIST(struct role_json, keys, &key_schema, 0),
    J(JSON_STRING, struct role_json, next, JSON_OMIT_EMPTY),
};
static const struct json_schema role_schema = JSON_SCHEMA(struct role_json, role_fields);

struct trust_json {
    char root_sha256[SHA256_HEX_SIZE];
    bool offline;
    struct role_json *roles;
    size_t roles_count;
    char *agents_without_root;
    int64_t held;
};
static const struct json_field trust_fields[] = {
    J(JSON_STRING, struct trust_json, root_sha256, 0),
    J(JSON_BOOL, struct trust_json, offline, 0),
    J_LIST(struct trust_json, roles, &role_schema, 0),
    J(JSON_STRINGS, struct trust_json, agents_without_root, 0),
    J(JSON_INT, struct trust_json, held, 0),
};
static const struct json_schema trust_schema = JSON_SCHEMA(struct trust_json, trust_fields);

void trust_view_clear(struct trust_view *v) {
    tuf_root_clear(&v->root);
    text_fini(&v->without_root);
}

static void describe_key(const struct tuf_root *root, const char *id, struct repo *repo,
                         struct key_json *out) {
    const struct tuf_key *key = tuf_keys_find(&root->keys, id);
    struct sign_public public;
    struct err ignored;
    snprintf(out->id, sizeof out->id, "%s", id);
    if (key != NULL && tuf_key_public(key, &public, &ignored)) sign_key_id(&public, out->key_id);
    out->here = repo_has_key(repo, id);
}

static void describe_role(const struct trust_view *v, enum tuf_role_kind role, struct repo *repo,
                          struct role_json *out) {
    const struct tuf_signers *signers = &v->root.roles[role];
    snprintf(out->name, sizeof out->name, "%s", tuf_role_name(role));
    out->version = v->status.headings[role].version;
    clock_rfc3339(v->status.headings[role].expires_ms, out->expires_at);
    out->threshold = signers->threshold;
    out->keys_count = signers->key_count;
    out->keys = memory_zeroed(signers->key_count + 1, sizeof *out->keys);
    for (size_t i = 0; i < signers->key_count; i++)
        describe_key(&v->root, signers->key_ids[i], repo, &out->keys[i]);
    struct sign_public next;
    if (repo_next_key(repo, role, &next)) sign_public_text(&next, out->next);
}

void view_trust(const struct trust_view *v, struct repo *repo, struct text *out) {
    struct role_json roles[TUF_ROLE_COUNT] = {0};
    struct trust_json j = {.offline = !v->status.signs[TUF_ROOT] || !v->status.signs[TUF_TARGETS],
                           .roles = roles,
                           .roles_count = TUF_ROLE_COUNT,
                           .agents_without_root = v->without_root.data,
                           .held = v->held};
    memcpy(j.root_sha256, v->status.root_sha256, sizeof j.root_sha256);
    for (int i = 0; i < TUF_ROLE_COUNT; i++)
        describe_role(v, (enum tuf_role_kind)i, repo, &roles[i]);
    json_encode(&trust_schema, &j, out);
    for (int i = 0; i < TUF_ROLE_COUNT; i++) free(roles[i].keys);
}
