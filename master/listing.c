#include "master/listing.h"

#include "lib/encode.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MAX 100000
#define CURSOR_BYTES (2 * LISTING_TEXT_SIZE)

void listing_add_number(struct listing *l, const char *key, const char *id, size_t number) {
    if (l->count == l->room) {
        l->room = l->room > 0 ? 2 * l->room : 16;
        l->items = memory_resize(l->items, l->room, sizeof *l->items);
    }
    struct listing_item *item = &l->items[l->count++];
    item->number = number;
    text_cut(item->key, sizeof item->key, key);
    text_cut(item->id, sizeof item->id, id);
}

void listing_add(struct listing *l, const char *key, const char *id) {
    listing_add_number(l, key, id, l->count);
}

void listing_fini(struct listing *l) {
    free(l->items);
    *l = (struct listing){0};
}

bool listing_sort(struct http_request *r, const char *const *names, struct listing *l,
                  size_t *index, struct err *e) {
    const char *sort = http_query(r, "sort");
    *index = 0;
    if (sort == NULL) return true;
    l->descending = *sort == '-';
    OWN_TEXT struct text allowed = TEXT_EMPTY;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], sort + l->descending) == 0) {
            *index = i;
            return true;
        }
        text_add_format(&allowed, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    return err_set(e, ERR_INVALID, "sort=%s: one of %s, with '-' in front for the other way round",
                   sort, text_value(&allowed));
}

static int compare_items(const void *a, const void *b, void *argument) {
    const struct listing *l = argument;
    const struct listing_item *x = a, *y = b;
    int order = l->compare != NULL ? l->compare(x->key, y->key) : strcmp(x->key, y->key);
    if (order == 0) order = strcmp(x->id, y->id);
    return l->descending ? -order : order;
}

/* As what is collected in order of id is, unless another order is asked for. */
static bool is_sorted(struct listing *l) {
    size_t i = 1;
    while (i < l->count && compare_items(&l->items[i - 1], &l->items[i], l) <= 0) i++;
    return i >= l->count;
}

bool listing_after(struct http_request *r, struct listing_item *out, struct err *e) {
    char words[CURSOR_BYTES + 1];
    size_t length = 0;
    const char *cursor = http_query(r, "cursor");
    *out = (struct listing_item){0};
    if (cursor == NULL) return true;
    if (decode_base64url(cursor, words, CURSOR_BYTES, &length)) {
        words[length] = '\0';
        char *newline = strchr(words, '\n');
        if (newline != NULL) {
            *newline = '\0';
            if (text_copy(out->key, sizeof out->key, words) &&
                text_copy(out->id, sizeof out->id, newline + 1) && out->id[0] != '\0')
                return true;
        }
    }
    err_set(e, ERR_INVALID, "cursor: not one of ours");
    return err_hint(e, "take it from the Link header of the page before");
}

void listing_link(struct http_request *r, const struct listing_item *last, int64_t limit) {
    static const char *const kept[] = {"status",  "mode",   "version", "platform",  "arch",
                                       "channel", "label",  "state",   "agent",     "name",
                                       "sort",    "active", "domain",  "principal", "action",
                                       "subject", NULL};
    char words[CURSOR_BYTES + 1], cursor[ENCODE_BASE64_SIZE(CURSOR_BYTES)];
    int length = snprintf(words, sizeof words, "%s\n%s", last->key, last->id);
    OWN_TEXT struct text link = TEXT_EMPTY;
    text_add_format(&link, "<%s?limit=%lld&cursor=%s", http_path(r), (long long)limit,
                    encode_base64url(words, (size_t)length, cursor));
    for (size_t i = 0; kept[i] != NULL; i++) {
        const char *value = http_query(r, kept[i]);
        if (value == NULL) continue;
        text_add_format(&link, "&%s=", kept[i]);
        encode_url(&link, value);
    }
    text_add(&link, ">; rel=\"next\"");
    http_reply_header(r, "Link", text_value(&link));
}

bool listing_limit(struct http_request *r, int64_t *out, struct err *e) {
    return http_query_int(r, "limit", 1, LIMIT_MAX, 0, out, e);
}

void listing_total(struct http_request *r, size_t count) {
    char total[24];
    snprintf(total, sizeof total, "%zu", count);
    http_reply_header(r, "X-Total-Count", total);
}

bool listing_page(struct listing *l, struct http_request *r, size_t *first, size_t *end,
                  struct err *e) {
    struct listing_item after;
    int64_t limit = 0;
    if (!listing_limit(r, &limit, e) || !listing_after(r, &after, e)) return false;
    if (!is_sorted(l)) qsort_r(l->items, l->count, sizeof *l->items, compare_items, l);
    *first = 0;
    while (after.id[0] != '\0' && *first < l->count &&
           compare_items(&l->items[*first], &after, l) <= 0)
        ++*first;
    *end = limit > 0 && l->count - *first > (size_t)limit ? *first + (size_t)limit : l->count;
    if (limit == 0) return true;
    listing_total(r, l->count);
    if (*end < l->count) listing_link(r, &l->items[*end - 1], limit);
    return true;
}

void listing_reply(struct listing *l, struct http_request *r, listing_encode *encode,
                   const void *of) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    size_t first = 0, end = 0;
    struct err e;
    if (!listing_page(l, r, &first, &end, &e)) {
        http_reply_err(r, &e);
        return;
    }
    text_add(&json, "[");
    for (size_t i = first; i < end; i++) {
        text_add(&json, i > first ? "," : "");
        encode(of, l->items[i].number, &json);
    }
    text_add(&json, "]");
    http_reply_json_etag(r, json.data, json.length);
}

bool listing_agrees(const char *wanted, const char *value) {
    return wanted == NULL || strcmp(wanted, value) == 0;
}
