#include "master/api_audit.h"

#include "master/audit.h"
#include "master/listing.h"
#include "master/master.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One more than the page is read, to know whether there is a next one: the trail is never pruned.
 */
struct audit_page {
    struct audit_filter filter;
    int64_t before;              /* only rows below */
    int64_t limit;               /* 0: none */
    struct audit_entry *entries; /* owned */
    size_t read, shown;
};

static bool read_query(struct http_request *r, struct audit_page *p, struct err *e) {
    static const char *const allowed[] = {"principal", "action", "subject",
                                          "limit",     "cursor", NULL};
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

void api_audit_list(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct audit_page page = {.limit = 0};
    struct err e;
    if (read_query(r, &page, &e) && read_page(r, &page, &e)) {
        json_encode_list(&audit_entry_schema, page.entries, page.shown, &json);
        http_reply_json_etag(r, json.data, json.length);
    } else {
        http_reply_err(r, &e);
    }
    json_clear_list(&audit_entry_schema, page.entries, page.read);
}
