#include "lib/tuf_client_internal.h"

#include "lib/clock.h"

#include <inttypes.h>
#include <stdio.h>

static bool parse(struct tuf_document *d, struct err *e) {
    const char *bytes = text_value(&d->bytes);
    size_t length = d->bytes.length;
    switch (d->kind) {
    case TUF_ROOT:
        return tuf_root_parse(bytes, length, &d->root, e);
    case TUF_TIMESTAMP:
        return tuf_timestamp_parse(bytes, length, &d->timestamp, e);
    case TUF_SNAPSHOT:
        return tuf_snapshot_parse(bytes, length, &d->snapshot, e);
    case TUF_TARGETS:
        return tuf_targets_parse(bytes, length, &d->targets, e);
    case TUF_ROLE_COUNT:
        break;
    }
    return err_set(e, ERR_INTERNAL, "no role of metadata");
}

bool tuf_document_read(enum tuf_role_kind kind, struct text *bytes, struct tuf_document **out,
                       struct err *e) {
    OWN(tuf_document) struct tuf_document *d = memory_zeroed(1, sizeof *d);
    d->kind = kind;
    d->bytes = *bytes;
    *bytes = TEXT_EMPTY;
    if (!parse(d, e)) return false;
    *out = TAKE(d);
    return true;
}

void tuf_document_free(struct tuf_document *d) {
    if (d == NULL) return;
    if (d->kind == TUF_ROOT) tuf_root_clear(&d->root);
    if (d->kind == TUF_SNAPSHOT) tuf_snapshot_clear(&d->snapshot);
    if (d->kind == TUF_TARGETS) tuf_targets_clear(&d->targets);
    text_fini(&d->bytes);
    free(d);
}

bool tuf_client_refuse(struct tuf_client *c, enum tuf_attack attack, struct err *e) {
    c->attack = attack;
    e->code = ERR_UNTRUSTED;
    return false;
}

bool tuf_client_fetch(struct tuf_client *c, enum tuf_role_kind kind, const char *file,
                      size_t max_bytes, struct tuf_document **out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    if (!c->options.fetch(c->options.argument, file, max_bytes, &bytes, e)) {
        if (e->code == ERR_TOO_LARGE) tuf_client_refuse(c, TUF_ENDLESS, e);
        err_wrap(e, "fetch %.120s", file);
        return false;
    }
    if (bytes.length > max_bytes) {
        err_set(e, ERR_TOO_LARGE, "%.120s: larger than %zu bytes", file, max_bytes);
        tuf_client_refuse(c, TUF_ENDLESS, e);
        return false;
    }
    if (tuf_document_read(kind, &bytes, out, e)) return true;
    err_wrap(e, "%.120s", file);
    tuf_client_refuse(c, TUF_MALFORMED, e);
    return false;
}

bool tuf_client_load(struct tuf_client *c, enum tuf_role_kind kind, const char *file,
                     struct tuf_document **out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    if (!c->options.load(c->options.argument, file, &bytes, e)) return false;
    if (tuf_document_read(kind, &bytes, out, e)) return true;
    e->code = ERR_NOT_FOUND;
    return err_wrap(e, "trusted %.120s", file);
}

bool tuf_client_save(struct tuf_client *c, const char *file, const struct tuf_document *d,
                     struct err *e) {
    if (c->options.save(c->options.argument, file, text_value(&d->bytes), d->bytes.length, e))
        return true;
    return err_wrap(e, "keep %.120s", file);
}

static size_t longest(enum tuf_role_kind kind, const struct tuf_promise *promise) {
    if (promise->length >= 0) return (size_t)promise->length;
    return kind == TUF_SNAPSHOT ? TUF_SNAPSHOT_MAX_BYTES : TUF_TARGETS_MAX_BYTES;
}

bool tuf_client_fetch_promised(struct tuf_client *c, enum tuf_role_kind kind, const char *file,
                               const struct tuf_promise *promise, struct tuf_document **out,
                               struct err *e) {
    char versioned[3 * TUF_ROLE_NAME_SIZE + 32];
    OWN(tuf_document) struct tuf_document *d = NULL;
    snprintf(versioned, sizeof versioned, "%" PRId64 ".%s", promise->version, file);
    if (promise->length > TUF_TARGETS_MAX_BYTES) {
        err_set(e, ERR_TOO_LARGE, "%.120s: promised with %" PRId64 " bytes, %d are the most", file,
                promise->length, TUF_TARGETS_MAX_BYTES);
        return tuf_client_refuse(c, TUF_ENDLESS, e);
    }
    if (!tuf_client_fetch(c, kind,
                          c->trusted[TUF_ROOT]->root.consistent_snapshot ? versioned : file,
                          longest(kind, promise), &d, e))
        return false;
    if (!tuf_promise_kept(promise, text_value(&d->bytes), d->bytes.length, file, e))
        return tuf_client_refuse(c, TUF_MIX_AND_MATCH, e);
    *out = TAKE(d);
    return true;
}

bool tuf_client_unexpired(struct tuf_client *c, const struct tuf_document *d, const char *file,
                          int64_t now_ms, struct err *e) {
    char when[CLOCK_RFC3339_SIZE];
    if (d->heading.expires_ms > now_ms) return true;
    err_set(e, ERR_UNTRUSTED, "%.120s: version %" PRId64 " expired at %s", file, d->heading.version,
            clock_rfc3339(d->heading.expires_ms, when));
    return tuf_client_refuse(c, TUF_FREEZE, e);
}

bool tuf_client_current(struct tuf_client *c, const struct tuf_document *d, const char *file,
                        const struct tuf_promise *promise, int64_t now_ms, struct err *e) {
    if (d->heading.version == promise->version) return tuf_client_unexpired(c, d, file, now_ms, e);
    err_set(e, ERR_UNTRUSTED, "%.120s: version %" PRId64 ", promised was %" PRId64, file,
            d->heading.version, promise->version);
    return tuf_client_refuse(c, TUF_MIX_AND_MATCH, e);
}
