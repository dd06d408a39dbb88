#include "master/api_keys.h"

#include "lib/json.h"
#include "master/body.h"
#include "master/listing.h"
#include "master/master.h"
#include "master/view_binary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PUBLIC_KEY_SIZE 1024

struct trust_order {
    char public_key[PUBLIC_KEY_SIZE]; /* a .pub file's text, or its second line */
};
static const struct json_field order_fields[] = {
    J(JSON_STRING, struct trust_order, public_key, JSON_REQUIRED),
};
static const struct json_schema order_schema = JSON_SCHEMA(struct trust_order, order_fields);

struct shown_key {
    struct sign_public key;
    const char *use;
    int64_t trusted_at_ms;
};

/* The grid's own keys come first. */
static void collect_keys(struct keys *keys, struct shown_key out[KEYS_PUBLISHERS_MAX + 2],
                         struct listing *listing) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    size_t count = keys_publishers(keys, publishers);
    out[0] = (struct shown_key){*keys_release(keys), "release", 0};
    out[1] = (struct shown_key){*sign_secret_public(keys_master(keys)), "master", 0};
    for (size_t i = 0; i < count; i++)
        out[i + 2] =
            (struct shown_key){publishers[i].key, "publisher", publishers[i].trusted_at_ms};
    for (size_t i = 0; i < count + 2; i++) {
        char id[SIGN_KEY_ID_HEX_SIZE], place[24];
        snprintf(place, sizeof place, "%zu", i < 2 ? i : 2);
        listing_add(listing, place, sign_key_id(&out[i].key, id));
    }
}

static void encode(const void *keys, size_t number, struct text *out) {
    const struct shown_key *k = (const struct shown_key *)keys + number;
    view_key(&k->key, k->use, k->trusted_at_ms, out);
}

void api_keys_list(struct http_request *r) {
    static const char *const allowed[] = {"limit", "cursor", NULL};
    struct shown_key keys[KEYS_PUBLISHERS_MAX + 2];
    OWN_LISTING struct listing listing = {0};
    struct err e;
    if (!http_query_only(r, allowed, &e)) {
        http_reply_err(r, &e);
        return;
    }
    collect_keys(master_of(r)->keys, keys, &listing);
    listing_reply(&listing, r, encode, keys);
}

/* False when the key is not there. */
static bool find_publisher(struct keys *keys, const struct sign_public *key,
                           struct publisher *out) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    size_t count = keys_publishers(keys, publishers);
    for (size_t i = 0; i < count; i++) {
        if (!sign_public_equal(&publishers[i].key, key)) continue;
        *out = publishers[i];
        return true;
    }
    return false;
}

static bool read_order(struct http_request *r, struct sign_public *out, struct err *e) {
    struct trust_order order;
    return body_no_query(r, e) && body_json(r, &order_schema, &order, e) &&
           sign_public_parse(order.public_key, out, e);
}

static void tell(struct http_request *r, const char *kind, const char *key_id, const char *words) {
    struct master *m = master_of(r);
    OWN_TEXT struct text sentence = TEXT_EMPTY;
    text_add_format(&sentence, "publisher key %s %s", key_id, words);
    events_record_change(m->events, kind, key_id, http_principal(r), sentence.data);
    intake_wake(m->intake); /* what was refused for its signature may be fine now */
}

void api_keys_trust(struct http_request *r) {
    struct keys *keys = master_of(r)->keys;
    OWN_TEXT struct text json = TEXT_EMPTY;
    char id[SIGN_KEY_ID_HEX_SIZE];
    struct sign_public key;
    struct publisher trusted = {0};
    struct err e;
    if (!read_order(r, &key, &e)) {
        http_reply_err(r, &e);
        return;
    }
    bool known = find_publisher(keys, &key, &trusted);
    if (!keys_trust(keys, &key, &e)) {
        http_reply_err(r, &e);
        return;
    }
    if (!known) tell(r, "key.trusted", sign_key_id(&key, id), "is trusted");
    if (!find_publisher(keys, &key, &trusted)) trusted.trusted_at_ms = 0; /* removed meanwhile */
    view_key(&key, "publisher", trusted.trusted_at_ms, &json);
    http_reply_json(r, known ? 200 : 201, json.data, json.length);
}

void api_keys_distrust(struct http_request *r) {
    const char *id = http_param(r, "id");
    struct err e;
    if (!body_no_query(r, &e) || !keys_distrust(master_of(r)->keys, id, &e)) {
        http_reply_err(r, &e);
        return;
    }
    tell(r, "key.removed", id, "is not trusted any more");
    http_reply_empty(r, 204);
}

static void reply_public(struct http_request *r, const struct sign_public *key) {
    char id[SIGN_KEY_ID_HEX_SIZE], line[SIGN_PUBLIC_TEXT_SIZE];
    OWN_TEXT struct text file = TEXT_EMPTY;
    text_add_format(&file, "untrusted comment: minisign public key %s\n%s\n", sign_key_id(key, id),
                    sign_public_text(key, line));
    http_reply_text(r, 200, "text/plain; charset=utf-8", file.data, file.length);
}

void api_keys_release(struct http_request *r) {
    reply_public(r, keys_release(master_of(r)->keys));
}

void api_keys_master(struct http_request *r) {
    reply_public(r, sign_secret_public(keys_master(master_of(r)->keys)));
}
