#include "master/api_audit.h"

#include "master/audit.h"
#include "master/audit_points.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One more than the page is read, to know whether there is a next one. */
struct audit_page {
    struct audit_filter filter;
    int64_t before;              /* only rows below */
    int64_t limit;               /* 0: none */
    struct audit_entry *entries; /* owned */
    size_t read, shown;
};

#define SINCE_MAX 10000

static bool read_query(struct http_request *r, struct audit_page *p, struct err *e) {
    static const char *const allowed[] = {"principal", "action", "subject", "limit",
                                          "cursor",    "since",  NULL};
    struct listing_item after;
    if (!http_query_only(r, allowed, e) || !listing_limit(r, &p->limit, e) ||
        !listing_after(r, &after, e))
        return false;
    p->filter = (struct audit_filter){.principal = http_query(r, "principal"),
                                      .action = http_query(r, "action"),
                                      .subject = http_query(r, "subject")};
    p->before = after.id[0] != '\0' ? strtoll(after.id, NULL, 10) : INT64_MAX;
    return true;
}

static bool read_page(struct http_request *r, struct audit_page *p, struct err *e) {
    struct db *db = master_of(r)->db;
    size_t total = 0;
    int64_t most = p->limit > 0 ? p->limit + 1 : -1;
    if (!audit_list(db, &p->filter, p->before, most, &p->entries, &p->read, e)) return false;
    bool more = p->limit > 0 && p->read > (size_t)p->limit;
    p->shown = more ? (size_t)p->limit : p->read;
    if (p->limit == 0) return true;
    if (!audit_count(db, &p->filter, &total, e)) return false;
    listing_total(r, total);
    if (!more) return true;
    struct listing_item last = {0};
    snprintf(last.id, sizeof last.id, "%" PRId64, p->entries[p->shown - 1].seq);
    listing_link(r, &last, p->limit);
    return true;
}

/* ?since=SEQ: oldest first, for who checks the chain. */
static bool read_since(struct http_request *r, struct audit_page *p, struct err *e) {
    int64_t since = 0;
    if (!http_query_int(r, "since", 0, INT64_MAX, 0, &since, e)) return false;
    if (http_query(r, "cursor") != NULL)
        return err_set(e, ERR_INVALID, "cursor: since=SEQ goes on by the number of the last row");
    int64_t most = p->limit > 0 && p->limit < SINCE_MAX ? p->limit : SINCE_MAX;
    if (!audit_since(master_of(r)->db, &p->filter, since, most, &p->entries, &p->read, e))
        return false;
    p->shown = p->read;
    return true;
}

static bool read_rows(struct http_request *r, struct audit_page *p, struct err *e) {
    return http_query(r, "since") != NULL ? read_since(r, p, e) : read_page(r, p, e);
}

void api_audit_points(struct http_request *r) {
    OWN_MEMORY struct audit_point_view *points = NULL;
    OWN_TEXT struct text json = TEXT_EMPTY;
    size_t count = 0;
    struct err e;
    if (!body_no_query(r, &e) || !audit_points_list(master_of(r)->db, &points, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    json_encode_list(&audit_point_schema, points, count, &json);
    http_reply_json_etag(r, json.data, json.length);
}

void api_audit_list(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct audit_page page = {.limit = 0};
    struct err e;
    if (read_query(r, &page, &e) && read_rows(r, &page, &e)) {
        json_encode_list(&audit_entry_schema, page.entries, page.shown, &json);
        http_reply_json_etag(r, json.data, json.length);
    } else {
        http_reply_err(r, &e);
    }
    json_clear_list(&audit_entry_schema, page.entries, page.read);
}
