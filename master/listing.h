/* Lists over REST: sorted by a key, cut into pages with an opaque cursor (RFC 8288 Link), counted
 * in X-Total-Count. Handlers first collect what matches, then encode only the page. */
#pragma once

#include "lib/artifact.h"
#include "lib/http_server.h"

#define LISTING_TEXT_SIZE ARTIFACT_FILE_SIZE /* the longest name of anything listed */

struct listing_item {
    char key[LISTING_TEXT_SIZE]; /* sort key as text */
    char id[LISTING_TEXT_SIZE];  /* breaks ties, and names the item */
    size_t number;               /* of what it stands for, in the caller's own list */
};

struct listing {
    struct listing_item *items;
    size_t count, room;
    int (*compare)(const char *a, const char *b); /* of keys; strcmp when NULL */
    bool descending;
};

/* Numbered from 0 in the order of the calls; listing_add_number: for lists of which only some items
 * are wanted. */
void listing_add(struct listing *l, const char *key, const char *id);
void listing_add_number(struct listing *l, const char *key, const char *id, size_t number);
void listing_fini(struct listing *l);
#define OWN_LISTING __attribute__((cleanup(listing_fini)))

/* Reads ?sort= ("name" or "-name") against the allowed names: the index in names. ERR_INVALID names
 * them. */
MUST_CHECK bool listing_sort(struct http_request *r, const char *const *names, struct listing *l,
                             size_t *index, struct err *e);

/* Sorts, reads ?limit= and ?cursor=, sets the headers; items [*first, *end) are the page. Without
 * limit: everything. */
MUST_CHECK bool listing_page(struct listing *l, struct http_request *r, size_t *first, size_t *end,
                             struct err *e);

/* Replies with the page that the query asks for: encode writes the item of a number. of is handed
 * through. */
typedef void listing_encode(const void *of, size_t number, struct text *out);
void listing_reply(struct listing *l, struct http_request *r, listing_encode *encode,
                   const void *of);

/* Whether a value passes a filter of the query; NULL lets every one pass. */
bool listing_agrees(const char *wanted, const char *value);

/* The parts of it, for what is too long to be collected first. */
MUST_CHECK bool listing_limit(struct http_request *r, int64_t *out, struct err *e); /* 0: none */
void listing_total(struct http_request *r, size_t count);
/* Where the page before ended; its id is "" when there was none. */
MUST_CHECK bool listing_after(struct http_request *r, struct listing_item *out, struct err *e);
/* The same request again, behind this item. */
void listing_link(struct http_request *r, const struct listing_item *last, int64_t limit);
