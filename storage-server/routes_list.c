/* GET /v1/chunks: directory by directory, so that a page costs no more than the directories it
 * comes from. A cursor is the name of a directory and the last id that was given of it. */
#include "storage-server/node.h"
#include "storage-server/routes_chunks.h"

#include "lib/encode.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MAX 10000

static const struct json_field entry_fields[] = {
    J(JSON_STRING, struct chunk_entry, id, 0),
    J(JSON_INT, struct chunk_entry, size_bytes, 0),
};
static const struct json_schema entry_schema = JSON_SCHEMA(struct chunk_entry, entry_fields);

struct listing {
    const char *prefix;
    int64_t limit; /* 0: all */
    unsigned directory;
    const char *after; /* within directory */
};

static bool parse_cursor(const char *cursor, struct listing *l, struct err *e) {
    unsigned char directory = 0;
    char name[3] = {0};
    if (cursor == NULL) return true;
    size_t length = strlen(cursor);
    (void)snprintf(name, sizeof name, "%s", cursor);
    if (length < 3 || !decode_hex(name, &directory, 1) || !chunk_id_valid(cursor + 2) ||
        chunk_directory(cursor + 2) != directory)
        return err_set(e, ERR_INVALID, "cursor: \"%.80s\" is none that this node gave", cursor);
    l->directory = directory;
    l->after = cursor + 2;
    return true;
}

static bool parse(struct http_request *r, struct listing *l, struct err *e) {
    static const char *const allowed[] = {"prefix", "limit", "cursor", NULL};
    const char *prefix = http_query(r, "prefix");
    *l = (struct listing){.prefix = prefix != NULL ? prefix : "", .after = ""};
    if (!http_query_only(r, allowed, e) ||
        !http_query_int(r, "limit", 1, LIMIT_MAX, 0, &l->limit, e))
        return false;
    if (l->prefix[0] != '\0' && !chunk_id_check(l->prefix, e)) return err_wrap(e, "prefix");
    return parse_cursor(http_query(r, "cursor"), l, e);
}

static void add_entries(const struct chunk_entry *entries, size_t count, bool *first,
                        struct text *json) {
    for (size_t i = 0; i < count; i++) {
        if (!*first) text_add(json, ",");
        json_encode(&entry_schema, &entries[i], json);
        *first = false;
    }
}

/* Once the head is out, a failure leaves the array open: nobody takes a part for the whole. */
static bool send_rest(struct http_request *r, struct chunks *chunks, const struct listing *l) {
    bool first = true;
    for (unsigned directory = l->directory; directory < CHUNK_DIRECTORIES; directory++) {
        OWN_MEMORY struct chunk_entry *entries = NULL;
        OWN_TEXT struct text json = TEXT_EMPTY;
        size_t count = 0;
        const char *after = directory == l->directory ? l->after : "";
        if (!chunks_list(chunks, directory, l->prefix, after, SIZE_MAX, &entries, &count, NULL))
            return false;
        add_entries(entries, count, &first, &json);
        if (json.length > 0 && !http_stream_write(r, json.data, json.length)) return false;
    }
    return true;
}

static void send_all(struct http_request *r, struct chunks *chunks, const struct listing *l) {
    if (http_stream_begin(r, 200, "application/json", -1) && http_stream_write(r, "[", 1) &&
        send_rest(r, chunks, l))
        (void)!http_stream_write(r, "]", 1);
    http_stream_end(r);
}

static bool add_total(struct http_request *r, struct chunks *chunks, const struct listing *l,
                      struct err *e) {
    int64_t total = l->prefix[0] == '\0' ? chunks_count(chunks) : 0;
    char words[24];
    for (unsigned i = 0; i < CHUNK_DIRECTORIES && l->prefix[0] != '\0'; i++) {
        size_t count = 0;
        if (!chunks_tally(chunks, i, l->prefix, &count, e)) return false;
        total += (int64_t)count;
    }
    (void)snprintf(words, sizeof words, "%lld", (long long)total);
    http_reply_header(r, "X-Total-Count", words);
    return true;
}

static void add_link(struct http_request *r, const struct listing *l, const char *last_id) {
    OWN_TEXT struct text link = TEXT_EMPTY;
    text_add_format(&link, "</v1/chunks?limit=%lld&cursor=%02x%s", (long long)l->limit,
                    chunk_directory(last_id), last_id);
    if (l->prefix[0] != '\0') text_add_format(&link, "&prefix=%s", l->prefix);
    text_add(&link, ">; rel=\"next\"");
    http_reply_header(r, "Link", link.data);
}

/* A page and one more, which only tells that there is a next page. */
static bool collect(struct chunks *chunks, const struct listing *l, struct text *json,
                    char last_id[CHUNK_ID_SIZE], bool *more, struct err *e) {
    int64_t left = l->limit;
    bool first = true;
    *more = false;
    for (unsigned directory = l->directory; directory < CHUNK_DIRECTORIES && !*more; directory++) {
        OWN_MEMORY struct chunk_entry *entries = NULL;
        size_t count = 0;
        const char *after = directory == l->directory ? l->after : "";
        if (!chunks_list(chunks, directory, l->prefix, after, (size_t)left + 1, &entries, &count,
                         e))
            return false;
        *more = (int64_t)count > left;
        if (*more) count = (size_t)left;
        add_entries(entries, count, &first, json);
        if (count > 0) (void)!text_copy(last_id, CHUNK_ID_SIZE, entries[count - 1].id);
        left -= (int64_t)count;
    }
    return true;
}

static bool send_page(struct http_request *r, struct chunks *chunks, const struct listing *l,
                      struct err *e) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    char last_id[CHUNK_ID_SIZE] = "";
    bool more = false;
    text_add(&json, "[");
    if (!collect(chunks, l, &json, last_id, &more, e) || !add_total(r, chunks, l, e)) return false;
    text_add(&json, "]");
    if (more) add_link(r, l, last_id);
    http_reply_json(r, 200, json.data, json.length);
    return true;
}

bool chunk_list(struct http_request *r, struct node *n, struct err *e) {
    struct listing l;
    if (!parse(r, &l, e)) return false;
    if (l.limit > 0) return send_page(r, n->chunks, &l, e);
    send_all(r, n->chunks, &l);
    return true;
}
