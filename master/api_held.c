#include "master/api_held.h"

#include "master/api_binaries_internal.h"
#include "master/body.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_binary.h"

void api_held_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    OWN_MEMORY struct held *held = NULL;
    OWN_LISTING struct listing listing = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    size_t count = 0, first = 0, end = 0;
    struct err e;
    bool listed = http_query_only(r, allowed, &e) && held_list(master_of(r)->db, &held, &count, &e);
    for (size_t i = 0; listed && i < count; i++) listing_add(&listing, "", held[i].file);
    if (!listed || !listing_page(&listing, r, &first, &end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    text_add(&json, "[");
    for (size_t i = first; i < end; i++) {
        text_add(&json, i > first ? "," : "");
        view_held(&held[listing.items[i].number], &json);
    }
    text_add(&json, "]");
    http_reply_json_etag(r, json.data, json.length);
}

void api_held_approve(struct http_request *r) {
    struct master *m = master_of(r);
    struct binary published;
    struct err e;
    if (!body_no_query(r, &e) ||
        !catalog_approve(m->catalog, http_param(r, "file"), http_principal(r), &published, &e)) {
        http_reply_err(r, &e);
        return;
    }
    follow_up(m->agents, m->events);
    api_binaries_reply(r, 200, &published);
}

void api_held_discard(struct http_request *r) {
    struct master *m = master_of(r);
    struct err e;
    if (!body_no_query(r, &e) ||
        !catalog_discard(m->catalog, http_param(r, "file"), http_principal(r), &e)) {
        http_reply_err(r, &e);
        return;
    }
    events_announce(m->events);
    http_reply_empty(r, 204);
}
