/* What can be asked about binaries, and their withdrawal. Uploads: api_binaries_put.c, downloads:
 * api_binaries_download.c. */
#include "master/api_binaries.h"

#include "lib/artifact.h"
#include "lib/json.h"
#include "master/api_binaries_internal.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_binary.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool api_binaries_readable(struct http_request *r, struct err *e) {
    return master_of(r)->settings->public_downloads || master_require_role(r, HTTP_VIEWER, e);
}

static const char *named(struct http_request *r) {
    const char *name = http_query(r, "name");
    return name != NULL ? name : ARTIFACT_DEFAULT_NAME;
}

bool api_binaries_id(struct http_request *r, struct artifact_name *out, struct err *e) {
    return artifact_name_make(named(r), http_param(r, "version"), http_param(r, "platform"),
                              http_param(r, "arch"), out, e);
}

bool api_binaries_sha256(const char *given, char out[SHA256_HEX_SIZE], struct err *e) {
    size_t i = 0;
    for (; given[i] != '\0' && i < SHA256_HEX_SIZE - 1; i++)
        out[i] = (char)tolower((unsigned char)given[i]);
    out[i] = '\0';
    return (given[i] == '\0' && sha256_hex_valid(out)) ||
           err_set(e, ERR_INVALID, "a SHA-256 has 64 hex digits");
}

void api_binaries_reply(struct http_request *r, int status, const struct binary *b) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    view_binary(b, &json);
    if (status == 200 && strcmp(http_method(r), "PUT") != 0)
        http_reply_json_etag(r, json.data, json.length);
    else
        http_reply_json(r, status, json.data, json.length);
}

static const char *const sort_names[] = {"name", "version", "uploaded_at", "size_bytes", NULL};
enum { SORT_NAME, SORT_VERSION, SORT_UPLOADED, SORT_SIZE };

/* Keys "name version": a name holds no space. */
static int compare_name_and_version(const char *a, const char *b) {
    size_t name_a = strcspn(a, " ");
    size_t name_b = strcspn(b, " ");
    int order = strncmp(a, b, name_a > name_b ? name_a : name_b);
    return order != 0 || a[name_a] == '\0' || b[name_b] == '\0'
               ? order
               : semver_order(a + name_a + 1, b + name_b + 1);
}

static void add_key(struct listing *l, const struct binary *b, size_t sort) {
    char key[ARTIFACT_FILE_SIZE], file_name[ARTIFACT_FILE_SIZE];
    if (sort == SORT_NAME)
        snprintf(key, sizeof key, "%s %s", b->id.name, b->id.version);
    else if (sort == SORT_VERSION)
        snprintf(key, sizeof key, "%s", b->id.version);
    else if (sort == SORT_UPLOADED)
        snprintf(key, sizeof key, "%020" PRId64, b->uploaded_at_ms);
    else
        snprintf(key, sizeof key, "%020" PRId64, b->size_bytes);
    listing_add(l, key, artifact_file_name(&b->id, file_name));
}

struct filter {
    const char *name, *platform, *arch, *version;
};

static bool read_filter(struct http_request *r, struct filter *f, struct err *e) {
    const char *platform = http_query(r, "platform");
    const char *arch = http_query(r, "arch");
    *f = (struct filter){.name = http_query(r, "name"),
                         .version = http_query(r, "version"),
                         .platform = platform != NULL ? platform_canonical(platform) : NULL,
                         .arch = arch != NULL ? platform_arch_canonical(arch) : NULL};
    if (platform != NULL && f->platform == NULL)
        return err_set(e, ERR_INVALID, "platform=%s: one of %s", platform, platform_names());
    if (arch != NULL && f->arch == NULL)
        return err_set(e, ERR_INVALID, "arch=%s: one of %s", arch, platform_arch_names());
    if (f->version != NULL && !semver_valid(f->version))
        return err_set(e, ERR_INVALID, "version=%s: not MAJOR.MINOR.PATCH[-pre][+build]",
                       f->version);
    return true;
}

static void encode(const void *binaries, size_t number, struct text *out) {
    view_binary((const struct binary *)binaries + number, out);
}

void api_binaries_list(struct http_request *r) {
    static const char *const allowed[] = {"name", "platform", "arch",   "version",
                                          "sort", "limit",    "cursor", NULL};
    OWN_LISTING struct listing listing = {0};
    OWN_MEMORY struct binary *binaries = NULL;
    struct filter f;
    size_t count = 0, sort = SORT_NAME;
    struct err e;
    if (!api_binaries_readable(r, &e) || !http_query_only(r, allowed, &e) ||
        !read_filter(r, &f, &e) || !listing_sort(r, sort_names, &listing, &sort, &e) ||
        !catalog_list(master_of(r)->catalog, f.name, f.platform, f.arch, f.version, &binaries,
                      &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    if (sort == SORT_NAME) listing.compare = compare_name_and_version;
    if (sort == SORT_VERSION) listing.compare = semver_order;
    for (size_t i = 0; i < count; i++) add_key(&listing, &binaries[i], sort);
    listing_reply(&listing, r, encode, binaries);
}

static void encode_rejected(const void *rejected, size_t number, struct text *out) {
    view_rejected((const struct rejected *)rejected + number, out);
}

void api_binaries_rejected(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    OWN_MEMORY struct rejected *rejected = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e)) {
        http_reply_err(r, &e);
        return;
    }
    intake_rejected(master_of(r)->intake, &rejected, &count);
    for (size_t i = 0; i < count; i++) listing_add(&listing, "", rejected[i].file);
    listing_reply(&listing, r, encode_rejected, rejected);
}

void api_binaries_get(struct http_request *r) {
    static const char *const allowed[] = {"name", NULL};
    struct artifact_name id;
    struct binary found;
    struct err e;
    if (master_may_download(r, named(r), "", &e) && http_query_only(r, allowed, &e) &&
        api_binaries_id(r, &id, &e) && catalog_find(master_of(r)->catalog, &id, &found, &e))
        api_binaries_reply(r, 200, &found);
    else
        http_reply_err(r, &e);
}

static bool find_latest(struct http_request *r, struct binary *out, struct err *e) {
    static const char *const allowed[] = {"name", "pre", NULL};
    const char *platform = platform_canonical(http_param(r, "platform"));
    const char *arch = platform_arch_canonical(http_param(r, "arch"));
    int64_t prereleases = 0;
    if (!master_may_download(r, named(r), "", e) || !http_query_only(r, allowed, e) ||
        !http_query_int(r, "pre", 0, 1, 0, &prereleases, e))
        return false;
    if (platform == NULL)
        return err_set(e, ERR_INVALID, "platform %.32s: one of %s", http_param(r, "platform"),
                       platform_names());
    if (arch == NULL)
        return err_set(e, ERR_INVALID, "architecture %.32s: one of %s", http_param(r, "arch"),
                       platform_arch_names());
    return catalog_latest(master_of(r)->catalog, named(r), platform, arch, prereleases != 0, out,
                          e);
}

void api_binaries_latest(struct http_request *r) {
    struct binary found;
    struct err e;
    if (find_latest(r, &found, &e))
        api_binaries_reply(r, 200, &found);
    else
        http_reply_err(r, &e);
}

struct verify_order {
    char checksum[2 * SHA256_HEX_SIZE];
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct verify_order, checksum, JSON_REQUIRED),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct verify_order, order_fields);

struct verify_answer {
    bool valid;
    char expected_checksum[SHA256_HEX_SIZE];
};
static const struct json_field answer_fields[] = {
    J(JSON_BOOL, struct verify_answer, valid, 0),
    J(JSON_STRING, struct verify_answer, expected_checksum, 0),
};
static const struct json_schema answer_schema = JSON_SCHEMA(struct verify_answer, answer_fields);

static bool verify(struct http_request *r, struct verify_answer *out, struct err *e) {
    static const char *const allowed[] = {"name", NULL};
    OWN_TEXT struct text body = TEXT_EMPTY;
    char checksum[SHA256_HEX_SIZE];
    struct verify_order order;
    struct artifact_name id;
    struct binary found;
    if (!api_binaries_readable(r, e) || !http_query_only(r, allowed, e) ||
        !api_binaries_id(r, &id, e) || !http_body(r, &body, e) ||
        !json_decode(&order_schema, text_value(&body), body.length, JSON_REJECT_UNKNOWN, &order, e))
        return false;
    if (!api_binaries_sha256(order.checksum, checksum, e)) return err_wrap(e, "checksum");
    if (!catalog_find(master_of(r)->catalog, &id, &found, e)) return false;
    out->valid = strcmp(checksum, found.sha256) == 0;
    memcpy(out->expected_checksum, found.sha256, sizeof out->expected_checksum);
    return true;
}

void api_binaries_verify(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct verify_answer answer;
    struct err e;
    if (!verify(r, &answer, &e)) {
        http_reply_err(r, &e);
        return;
    }
    json_encode(&answer_schema, &answer, &json);
    http_reply_json(r, 200, json.data, json.length);
}

/* The name must be given where a mistake cannot be taken back. */
static bool read_withdrawal(struct http_request *r, struct artifact_name *id, struct err *e) {
    static const char *const allowed[] = {"name", NULL};
    if (!http_query_only(r, allowed, e)) return false;
    if (http_query(r, "name") == NULL) {
        err_set(e, ERR_INVALID, "name: the name of the binary is required");
        return err_hint(e, "?name=%s", ARTIFACT_DEFAULT_NAME);
    }
    return api_binaries_id(r, id, e);
}

void api_binaries_yank(struct http_request *r) {
    struct master *m = master_of(r);
    struct artifact_name id;
    struct binary found;
    struct err e;
    if (!read_withdrawal(r, &id, &e) || !catalog_find(m->catalog, &id, &found, &e) ||
        !rollouts_check_unneeded(m->rollouts, found.sha256, false, &e) ||
        !catalog_yank(m->catalog, &id, http_principal(r), &e) ||
        !catalog_find(m->catalog, &id, &found, &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    api_binaries_reply(r, 200, &found);
}

static bool check_unused(struct master *m, const struct binary *b, struct err *e) {
    char holders[512];
    char file_name[ARTIFACT_FILE_SIZE];
    agents_holding(m->agents, b->sha256, holders, sizeof holders);
    if (holders[0] == '\0') return true;
    err_set(e, ERR_CONFLICT, "%s is run or wanted by %s", artifact_file_name(&b->id, file_name),
            holders);
    return err_hint(e, "move these agents to another version first, or yank it: it is then not "
                       "offered any more");
}

void api_binaries_delete(struct http_request *r) {
    struct master *m = master_of(r);
    struct artifact_name id;
    struct binary found;
    struct err e;
    if (!read_withdrawal(r, &id, &e) || !catalog_find(m->catalog, &id, &found, &e) ||
        !rollouts_check_unneeded(m->rollouts, found.sha256, true, &e) ||
        !check_unused(m, &found, &e) || !catalog_delete(m->catalog, &id, http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    http_reply_empty(r, 204);
}
