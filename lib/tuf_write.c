/* Writing, members in the order of canonical JSON. */
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/tuf_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Members and elements behind the first one get a comma before them. */
static void separate(size_t index, struct text *out) {
    if (index > 0) text_add(out, ",");
}

static void write_key_name(const char *name, struct text *out) {
    json_quote(name, out);
    text_add(out, ":");
}

static void write_strings(char *const *list, size_t count, struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < count; i++) {
        separate(i, out);
        json_quote(list[i], out);
    }
    text_add(out, "]");
}

static void write_key_ids(const struct tuf_signers *s, struct text *out) {
    text_add(out, "\"keyids\":[");
    for (size_t i = 0; i < s->key_count; i++) {
        separate(i, out);
        json_quote(s->key_ids[i], out);
    }
    text_add(out, "]");
}

static void write_keys(const struct tuf_keys *keys, struct text *out) {
    text_add(out, "\"keys\":{");
    for (size_t i = 0; i < keys->count; i++) {
        const struct tuf_key *k = &keys->list[i];
        separate(i, out);
        write_key_name(k->id, out);
        text_add(out, "{\"keytype\":");
        json_quote(k->keytype, out);
        text_add(out, ",\"keyval\":{\"public\":");
        json_quote(k->value, out);
        text_add(out, "},\"scheme\":");
        json_quote(k->scheme, out);
        text_add(out, "}");
    }
    text_add(out, "}");
}

/* Whole seconds, cut: a promise must not be longer than it was meant. */
static void write_expires(int64_t expires_ms, struct text *out) {
    char when[32];
    struct tm parts;
    time_t seconds = (time_t)(expires_ms / 1000);
    struct tm *known = gmtime_r(&seconds, &parts);
    assert(known != NULL);
    size_t length = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    assert(length > 0);
    text_add_format(out, "\"expires\":\"%s\"", when);
}

static void begin(enum tuf_role_kind role, struct text *out) {
    text_add_format(out, "{\"signatures\":[],\"signed\":{\"_type\":\"%s\",", tuf_role_name(role));
}

static void write_spec_version(struct text *out) {
    text_add(out, ",\"spec_version\":\"" TUF_SPEC_VERSION "\"");
}

static void end(const struct tuf_heading *h, struct text *out) {
    text_add_format(out, ",\"version\":%" PRId64 "}}", h->version);
}

/* "hashes" and "length", as far as they are told, each with a comma behind when more follows. */
static void write_hashes(const struct tuf_promise *p, struct text *out) {
    const char *separator = "";
    text_add(out, "\"hashes\":{");
    if (p->sha256[0] != '\0') {
        text_add_format(out, "\"sha256\":\"%s\"", p->sha256);
        separator = ",";
    }
    if (p->sha512[0] != '\0') text_add_format(out, "%s\"sha512\":\"%s\"", separator, p->sha512);
    text_add(out, "},");
}

static void write_promise(const struct tuf_promise *p, struct text *out) {
    text_add(out, "{");
    if (p->sha256[0] != '\0' || p->sha512[0] != '\0') write_hashes(p, out);
    if (p->length >= 0) text_add_format(out, "\"length\":%" PRId64 ",", p->length);
    text_add_format(out, "\"version\":%" PRId64 "}", p->version);
}

void tuf_root_write(const struct tuf_root *r, struct text *out) {
    static const enum tuf_role_kind order[] = {TUF_ROOT, TUF_SNAPSHOT, TUF_TARGETS, TUF_TIMESTAMP};
    begin(TUF_ROOT, out);
    text_add_format(out, "\"consistent_snapshot\":%s,", r->consistent_snapshot ? "true" : "false");
    write_expires(r->heading.expires_ms, out);
    text_add(out, ",");
    write_keys(&r->keys, out);
    text_add(out, ",\"roles\":{");
    for (size_t i = 0; i < TUF_COUNT(order); i++) {
        const struct tuf_signers *s = &r->roles[order[i]];
        separate(i, out);
        write_key_name(tuf_role_name(order[i]), out);
        text_add(out, "{");
        write_key_ids(s, out);
        text_add_format(out, ",\"threshold\":%" PRId64 "}", s->threshold);
    }
    text_add(out, "}");
    write_spec_version(out);
    end(&r->heading, out);
}

void tuf_timestamp_write(const struct tuf_timestamp *t, struct text *out) {
    begin(TUF_TIMESTAMP, out);
    write_expires(t->heading.expires_ms, out);
    text_add(out, ",\"meta\":{\"snapshot.json\":");
    write_promise(&t->snapshot, out);
    text_add(out, "}");
    write_spec_version(out);
    end(&t->heading, out);
}

void tuf_snapshot_write(const struct tuf_snapshot *s, struct text *out) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    begin(TUF_SNAPSHOT, out);
    write_expires(s->heading.expires_ms, out);
    text_add(out, ",\"meta\":{");
    for (size_t i = 0; i < s->count; i++) {
        separate(i, out);
        text_clear(&file);
        text_add_format(&file, "%s.json", s->entries[i].role);
        write_key_name(file.data, out);
        write_promise(&s->entries[i].promise, out);
    }
    text_add(out, "}");
    write_spec_version(out);
    end(&s->heading, out);
}

static void write_target(const struct tuf_target *t, struct text *out) {
    write_key_name(t->path, out);
    text_add(out, "{");
    if (t->custom != NULL) text_add_format(out, "\"custom\":%s,", t->custom);
    write_hashes(&t->promise, out);
    text_add_format(out, "\"length\":%" PRId64 "}", t->promise.length);
}

static void write_delegation(const struct tuf_delegation *d, struct text *out) {
    text_add(out, "{");
    write_key_ids(&d->signers, out);
    text_add(out, ",\"name\":");
    json_quote(d->role, out);
    if (d->hash_prefix_count > 0) {
        text_add(out, ",\"path_hash_prefixes\":");
        write_strings(d->hash_prefixes, d->hash_prefix_count, out);
    } else {
        text_add(out, ",\"paths\":");
        write_strings(d->paths, d->path_count, out);
    }
    text_add_format(out, ",\"terminating\":%s,\"threshold\":%" PRId64 "}",
                    d->terminating ? "true" : "false", d->signers.threshold);
}

static void write_succinct(const struct tuf_delegation *d, struct text *out) {
    text_add_format(out, ",\"succinct_roles\":{\"bit_length\":%d,", d->bits);
    write_key_ids(&d->signers, out);
    text_add(out, ",\"name_prefix\":");
    json_quote(d->role, out);
    text_add_format(out, ",\"threshold\":%" PRId64 "}", d->signers.threshold);
}

static void write_roles(const struct tuf_targets *t, struct text *out) {
    text_add(out, ",\"roles\":[");
    for (size_t i = 0; i < t->delegation_count; i++) {
        separate(i, out);
        write_delegation(&t->delegations[i], out);
    }
    text_add(out, "]");
}

static void write_delegations(const struct tuf_targets *t, struct text *out) {
    text_add(out, "\"delegations\":{");
    write_keys(&t->delegation_keys, out);
    if (t->delegation_count == 1 && t->delegations[0].bits > 0)
        write_succinct(&t->delegations[0], out);
    else
        write_roles(t, out);
    text_add(out, "},");
}

void tuf_targets_write(const struct tuf_targets *t, struct text *out) {
    begin(TUF_TARGETS, out);
    if (t->delegation_count > 0 || t->delegation_keys.count > 0) write_delegations(t, out);
    write_expires(t->heading.expires_ms, out);
    write_spec_version(out);
    text_add(out, ",\"targets\":{");
    for (size_t i = 0; i < t->count; i++) {
        separate(i, out);
        write_target(&t->list[i], out);
    }
    text_add(out, "}");
    end(&t->heading, out);
}
