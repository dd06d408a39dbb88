/* Publishing over HTTP: what can be refused is refused before the first byte of the body. */
#include "lib/encode.h"
#include "lib/http_range.h"
#include "master/api_binaries.h"
#include "master/api_binaries_internal.h"
#include "master/follow_up.h"
#include "master/master.h"
#include "master/view_binary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const allowed[] = {"name", "sha256", "notes", NULL};

/* All that a PUT says but its body. */
struct put {
    struct artifact_name id;
    char sha256[SHA256_HEX_SIZE]; /* "": not given */
    char signature[CATALOG_SIGNATURE_SIZE];
    const char *notes;
    int64_t first, total; /* total -1: the body is everything */
};

static void set_offset(struct http_request *r, int64_t offset) {
    char value[24];
    snprintf(value, sizeof value, "%" PRId64, offset);
    http_reply_header(r, "Upload-Offset", value);
}

/* Where the upload of these bytes stands: at the end when they are what is published. */
static bool find_offset(struct http_request *r, const char *given, int64_t *offset, struct err *e) {
    struct master *m = master_of(r);
    struct artifact_name id;
    struct binary found;
    char sha256[SHA256_HEX_SIZE];
    struct err why;
    if (!master_require_role(r, HTTP_PUBLISHER, e) || !http_query_only(r, allowed, e) ||
        !api_binaries_id(r, &id, e))
        return false;
    if (!api_binaries_sha256(given, sha256, e)) return err_wrap(e, "sha256");
    if (catalog_find(m->catalog, &id, &found, &why) && strcmp(found.sha256, sha256) == 0 &&
        !found.left_out) {
        *offset = found.size_bytes;
        return true;
    }
    return uploads_offset(m->uploads, sha256, offset, e);
}

void api_binaries_head(struct http_request *r) {
    const char *sha256 = http_query(r, "sha256");
    int64_t offset = 0;
    struct err e;
    if (sha256 == NULL) {
        api_binaries_get(r);
        return;
    }
    if (!find_offset(r, sha256, &offset, &e)) {
        http_reply_err(r, &e);
        return;
    }
    set_offset(r, offset);
    http_reply_empty(r, 200);
}

/* An empty body goes with the range "*": every byte is here, and only the answer is missing. */
static bool read_range(struct http_request *r, struct put *p, struct err *e) {
    const char *range = http_header(r, "Content-Range");
    int64_t last = 0;
    p->total = -1;
    if (range == NULL) return true;
    if (!http_content_range_parse(range, &p->first, &last, &p->total))
        return err_set(e, ERR_INVALID, "Content-Range %.64s: bytes FIRST-LAST/TOTAL is expected",
                       range);
    int64_t expected = last - p->first + 1;
    int64_t length = http_body_length(r);
    if (length >= 0 && length != expected)
        return err_set(e, ERR_INVALID,
                       "Content-Range %.64s is for %" PRId64 " bytes, the body has %" PRId64, range,
                       expected, length);
    return true;
}

static bool read_signature(struct http_request *r, struct put *p, struct err *e) {
    const char *base64 = http_header(r, "X-Grid-Signature");
    size_t length = 0;
    p->signature[0] = '\0';
    if (base64 == NULL) return true;
    if (!decode_base64(base64, p->signature, sizeof p->signature - 1, &length) ||
        memchr(p->signature, '\0', length) != NULL)
        return err_set(e, ERR_INVALID,
                       "X-Grid-Signature: the text of a .minisig file in base64 is expected, at "
                       "most %zu bytes of it",
                       sizeof p->signature - 1);
    p->signature[length] = '\0';
    return true;
}

static bool read_put(struct http_request *r, struct put *p, struct err *e) {
    const char *sha256 = http_query(r, "sha256");
    *p = (struct put){.notes = http_query(r, "notes")};
    if (!http_query_only(r, allowed, e) || !api_binaries_id(r, &p->id, e)) return false;
    if (sha256 != NULL && !api_binaries_sha256(sha256, p->sha256, e)) return err_wrap(e, "sha256");
    if (p->notes != NULL && strlen(p->notes) >= CATALOG_NOTES_SIZE)
        return err_set(e, ERR_INVALID, "notes: at most %d bytes", CATALOG_NOTES_SIZE - 1);
    return read_range(r, p, e) && read_signature(r, p, e);
}

/* What is certain before the body is there. *same: it is published already. */
static bool judge_early(struct master *m, const struct put *p, struct binary *found, bool *same,
                        struct err *e) {
    char file_name[ARTIFACT_FILE_SIZE];
    struct err why;
    artifact_file_name(&p->id, file_name);
    bool there = p->sha256[0] != '\0' && catalog_find(m->catalog, &p->id, found, &why);
    bool equal = there && strcmp(found->sha256, p->sha256) == 0;
    *same = equal && !found->left_out;
    if (there && !equal) {
        err_set(e, ERR_CONFLICT, "%s is published with sha256 %s, which is not %s", file_name,
                found->sha256, p->sha256);
        return err_hint(e, "a name keeps its bytes for ever: publish these under a new version");
    }
    return true;
}

static bool admit(struct http_request *r, const struct put *p, const struct staged *staged,
                  struct binary *out, enum admitted *how, struct err *e) {
    const struct admission a = {.id = &p->id,
                                .staged = staged,
                                .publisher_signature =
                                    p->signature[0] != '\0' ? p->signature : NULL,
                                .notes = p->notes,
                                .principal = http_principal(r)};
    return catalog_admit(master_of(r)->catalog, &a, out, how, e);
}

static void reply_published(struct http_request *r, const struct binary *b, bool created) {
    struct master *m = master_of(r);
    OWN_TEXT struct text location = TEXT_EMPTY;
    if (created) {
        follow_up(m->agents, m->events);
        text_add(&location, "/api/binaries/");
        encode_url(&location, b->id.version);
        text_add_format(&location, "/%s/%s?name=", b->id.platform, b->id.arch);
        encode_url(&location, b->id.name);
        http_reply_header(r, "Location", location.data);
    }
    api_binaries_reply(r, created ? 201 : 200, b);
}

static void reply_held(struct http_request *r, const struct artifact_name *id) {
    struct master *m = master_of(r);
    OWN_MEMORY struct held *h = memory_zeroed(1, sizeof *h);
    OWN_TEXT struct text json = TEXT_EMPTY;
    char file_name[ARTIFACT_FILE_SIZE];
    struct err e;
    events_announce(m->events);
    if (!held_find(m->db, artifact_file_name(id, file_name), h, &e)) {
        http_reply_err(r, &e);
        return;
    }
    view_held(h, &json);
    http_reply_json(r, 202, json.data, json.length);
}

/* A refusal of a piece says where to go on. */
static void reply_refused(struct http_request *r, const struct put *p, const struct err *e) {
    int64_t offset = 0;
    struct err why;
    if (e->code == ERR_CONFLICT && p->sha256[0] != '\0' &&
        uploads_offset(master_of(r)->uploads, p->sha256, &offset, &why))
        set_offset(r, offset);
    http_reply_err(r, e);
}

static void receive(struct http_request *r, const struct put *p) {
    const struct upload_piece piece = {
        .sha256 = p->sha256[0] != '\0' ? p->sha256 : NULL, .first = p->first, .total = p->total};
    struct staged staged;
    struct binary published;
    enum admitted how = ADMITTED_SAME;
    bool complete = false;
    int64_t offset = 0;
    struct err e;
    if (!uploads_receive(master_of(r)->uploads, r, &piece, &complete, &offset, &staged, &e)) {
        reply_refused(r, p, &e);
        return;
    }
    if (!complete) {
        set_offset(r, offset);
        http_reply_empty(r, 202);
        return;
    }
    bool admitted = admit(r, p, &staged, &published, &how, &e);
    catalog_unstage(&staged);
    if (!admitted)
        http_reply_err(r, &e);
    else if (how == ADMITTED_HELD)
        reply_held(r, &p->id);
    else
        reply_published(r, &published, how == ADMITTED_NEW);
}

void api_binaries_put(struct http_request *r) {
    struct put p;
    struct binary found;
    bool same = false;
    struct err e;
    if (!read_put(r, &p, &e) || !judge_early(master_of(r), &p, &found, &same, &e))
        http_reply_err(r, &e);
    else if (same)
        reply_published(r, &found, false);
    else
        receive(r, &p);
}
