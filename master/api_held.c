#include "master/api_held.h"

#include "master/api_binaries_internal.h"
#include "master/body.h"
#include "master/follow_up.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_binary.h"

static void encode(const void *held, size_t number, struct text *out) {
    view_held((const struct held *)held + number, out);
}

void api_held_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    OWN_MEMORY struct held *held = NULL;
    OWN_LISTING struct listing listing = {0};
    size_t count = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !held_list(master_of(r)->db, &held, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) listing_add(&listing, "", held[i].file);
    listing_reply(&listing, r, encode, held);
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
