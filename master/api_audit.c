#include "master/api_audit.h"

#include "master/audit.h"
#include "master/listing.h"
#include "master/master.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1000 /* rows that are read at once: the trail is never pruned */

struct audit_page {
    const char *principal, *action, *subject;
    int64_t before; /* only rows below */
    int64_t limit;  /* 0: none */
    size_t matches; /* all, of other pages too */
    size_t shown;
    int64_t last; /* shown */
    bool more;
    struct text *out;
};

static bool agrees(const char *wanted, const char *value) {
    return wanted == NULL || strcmp(wanted, value) == 0;
}

static void take(struct audit_page *p, const struct audit_entry *entry) {
    if (!agrees(p->principal, entry->principal) || !agrees(p->action, entry->action) ||
        !agrees(p->subject, entry->subject))
        return;
    p->matches++;
    if (entry->seq >= p->before) return;
    p->more = p->limit > 0 && p->shown == (size_t)p->limit;
    if (p->more) return;
    if (p->shown++ > 0) text_add(p->out, ",");
    json_encode(&audit_entry_schema, entry, p->out);
    p->last = entry->seq;
}

static bool walk(struct db *db, struct audit_page *p, struct err *e) {
    int64_t before = INT64_MAX;
    size_t count = CHUNK;
    while (count == CHUNK) {
        struct audit_entry *entries = NULL;
        if (!audit_list(db, before, CHUNK, &entries, &count, e)) return false;
        for (size_t i = 0; i < count; i++) take(p, &entries[i]);
        if (count > 0) before = entries[count - 1].seq;
        json_clear_list(&audit_entry_schema, entries, count);
    }
    return true;
}

static bool read_page(struct http_request *r, struct audit_page *p, struct err *e) {
    static const char *const allowed[] = {"principal", "action", "subject",
                                          "limit",     "cursor", NULL};
    struct listing_item after;
    if (!http_query_only(r, allowed, e) || !listing_limit(r, &p->limit, e) ||
        !listing_after(r, &after, e))
        return false;
    p->principal = http_query(r, "principal");
    p->action = http_query(r, "action");
    p->subject = http_query(r, "subject");
    p->before = after.id[0] != '\0' ? strtoll(after.id, NULL, 10) : INT64_MAX;
    return true;
}

static void announce(struct http_request *r, const struct audit_page *p) {
    struct listing_item last = {0};
    if (p->limit == 0) return;
    listing_total(r, p->matches);
    snprintf(last.id, sizeof last.id, "%" PRId64, p->last);
    if (p->more) listing_link(r, &last, p->limit);
}

void api_audit_list(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct audit_page page = {.out = &json};
    struct err e;
    text_add(&json, "[");
    if (!read_page(r, &page, &e) || !walk(master_of(r)->db, &page, &e)) {
        http_reply_err(r, &e);
        return;
    }
    text_add(&json, "]");
    announce(r, &page);
    http_reply_json_etag(r, json.data, json.length);
}
