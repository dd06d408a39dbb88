#include "master/certificates.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/file_stamp.h"
#include "lib/pem.h"
#include "lib/text.h"
#include "master/certificate.h"
#include "master/certificates_names.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define HTTP_DAYS 90
#define BUS_DAYS 3653
#define CLOCK_SKEW_MS DAY_MS    /* of clients that are behind */
#define NAMES_EVERY_MS 60000    /* the machine may have got another address */
#define SECURITY_BITS_LEAST 112 /* RSA 2048 */

struct given_stamps {
    struct file_stamp certificate;
    struct file_stamp key;
};

struct certificates {
    char directory[PATH_MAX]; /* STATE/tls */
    char ca_path[PATH_MAX];
    char http_path[PATH_MAX];
    char bus_path[PATH_MAX];
    char given_certificate[PATH_MAX]; /* "" : HTTP shows what the own CA signed */
    char given_key[PATH_MAX];
    const char **added_names;
    struct tls_pair *ca;
    struct text ca_pem;
    char ca_sha256[SHA256_HEX_SIZE];
    struct file_stamp bus_stamp; /* of bus.pem as the bus shows it */
    /* Of who renews. */
    struct given_stamps shown; /* of what HTTP shows */
    struct given_stamps tried; /* of what was read last, if only in vain */
    struct err told;           /* what went wrong the last time; "": nothing */
    bool pin_is_due;           /* it has not been written yet */
    int64_t named_at_ms;       /* when names were last looked at */

    pthread_mutex_t lock; /* guards the fields below */
    struct tls_pair *http;
    char pin_before[TLS_PIN_SIZE]; /* "" : HTTP has shown one key only */
};

void certificates_close(struct certificates *c) {
    if (c == NULL) return;
    tls_pair_free(c->ca);
    tls_pair_free(c->http);
    text_fini(&c->ca_pem);
    certificates_names_free(c->added_names);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool is_given(const struct certificates *c) {
    return c->given_certificate[0] != '\0';
}

static bool write_pair(const struct tls_pair *p, const char *path, struct err *e) {
    OWN_TEXT struct text pem = TEXT_SECRET;
    certificate_add_key(p, &pem);
    certificate_add_chain(p, &pem);
    return file_write_durable(path, pem.data, pem.length, 0600, e);
}

/* The certificate is written last: a CA whose certificate is there is complete. */
static bool write_ca(const struct certificates *c, const char *key_path, struct err *e) {
    OWN_TEXT struct text key = TEXT_SECRET;
    OWN_TEXT struct text chain = TEXT_EMPTY;
    certificate_add_key(c->ca, &key);
    certificate_add_chain(c->ca, &chain);
    return file_write_durable(key_path, key.data, key.length, 0600, e) &&
           file_write_durable(c->ca_path, chain.data, chain.length, 0644, e);
}

static bool damaged_ca(const char *path, struct err *e) {
    err_wrap(e, "%s", path);
    e->code = ERR_CORRUPT;
    return err_hint(e, "put it back from a backup: agents and gridctl know this CA by its digest, "
                       "a new one would be a stranger to them");
}

static bool read_ca(struct certificates *c, const char *key_path, struct err *e) {
    OWN_TEXT struct text both = TEXT_SECRET;
    if (!file_read(key_path, 65536, &both, e)) return damaged_ca(key_path, e);
    text_add(&both, "\n");
    if (!file_read(c->ca_path, 65536, &both, e) || !tls_pair_parse(&c->ca, text_value(&both), e))
        return damaged_ca(c->ca_path, e);
    return true;
}

static bool open_ca(struct certificates *c, struct err *e) {
    char key_path[PATH_MAX];
    if (!file_join(c->ca_path, sizeof c->ca_path, c->directory, "ca.pem", e) ||
        !file_join(key_path, sizeof key_path, c->directory, "ca.key", e) ||
        !file_join(c->bus_path, sizeof c->bus_path, c->directory, "bus.pem", e))
        return false;
    /* What it signed tells of a CA that is gone. */
    if (access(c->ca_path, F_OK) == 0 || access(c->bus_path, F_OK) == 0) {
        if (!read_ca(c, key_path, e)) return false;
    } else if (!certificate_make_ca(&c->ca, "grid CA", e) || !write_ca(c, key_path, e)) {
        return false;
    }
    certificate_add_chain(c->ca, &c->ca_pem);
    return pem_certificate_sha256(text_value(&c->ca_pem), c->ca_sha256, e);
}

/* A third of its time is left, or the clock was set back to before it. */
static bool is_due(const struct tls_pair *p, int64_t now_ms) {
    int64_t begins_ms = tls_pair_begins_ms(p);
    int64_t expires_ms = tls_pair_expires_ms(p);
    return now_ms < begins_ms || expires_ms - now_ms < (expires_ms - begins_ms) / 3;
}

static bool names_all(const struct tls_pair *p, const char *const *names) {
    for (; *names != NULL; names++)
        if (!tls_pair_names(p, *names)) return false;
    return true;
}

static bool sign_http(const struct certificates *c, const char *const *names, EVP_PKEY *key,
                      int64_t now_ms, struct tls_pair **out, struct err *e) {
    const struct certificate_request request = {.common_name = CERTIFICATES_NAME,
                                                .names = names,
                                                .begins_ms = now_ms - CLOCK_SKEW_MS,
                                                .expires_ms = now_ms + HTTP_DAYS * DAY_MS,
                                                .key = key};
    return certificate_sign(out, &request, c->ca, e) && write_pair(*out, c->http_path, e);
}

/* The pair of that file when the own CA signed it; what is broken or foreign is made anew. */
static struct tls_pair *read_own(const struct certificates *c, const char *path) {
    struct err e;
    OWN(tls_pair) struct tls_pair *p = NULL;
    bool usable = tls_pair_read(&p, path, &e) && certificate_is_signed_by(p, c->ca);
    return usable ? TAKE(p) : NULL;
}

/* *out stays NULL when what HTTP shows is good for longer. */
static bool sign_when_due(struct certificates *c, const struct tls_pair *now, int64_t now_ms,
                          struct tls_pair **out, struct err *e) {
    const char **names = certificates_names(c->added_names);
    bool due = now == NULL || is_due(now, now_ms) || !names_all(now, names);
    bool done = !due || sign_http(c, names, now != NULL ? now->key : NULL, now_ms, out, e);
    certificates_names_free(names);
    c->named_at_ms = now_ms;
    return done;
}

static bool open_own(struct certificates *c, struct err *e) {
    if (!file_join(c->http_path, sizeof c->http_path, c->directory, "http.pem", e)) return false;
    OWN(tls_pair) struct tls_pair *signed_now = NULL;
    c->http = read_own(c, c->http_path);
    if (!sign_when_due(c, c->http, clock_wall_ms(), &signed_now, e)) return false;
    if (signed_now == NULL) return true;
    tls_pair_free(c->http);
    c->http = TAKE(signed_now);
    return true;
}

static bool open_bus(struct certificates *c, struct err *e) {
    static const char *const names[] = {CERTIFICATES_NAME, NULL};
    c->bus_stamp = file_stamp(c->bus_path);
    OWN(tls_pair) struct tls_pair *p = read_own(c, c->bus_path);
    int64_t now_ms = clock_wall_ms();
    if (p != NULL && names_all(p, names) && !is_due(p, now_ms)) return true;
    const struct certificate_request request = {.common_name = CERTIFICATES_NAME,
                                                .names = names,
                                                .begins_ms = CERTIFICATE_BEGINS_ALWAYS,
                                                .expires_ms = now_ms + BUS_DAYS * DAY_MS};
    OWN(tls_pair) struct tls_pair *made = NULL;
    if (!certificate_sign(&made, &request, c->ca, e) || !write_pair(made, c->bus_path, e))
        return false;
    c->bus_stamp = file_stamp(c->bus_path);
    return true;
}

bool certificates_bus_outdated(const struct certificates *c) {
    const struct file_stamp now = file_stamp(c->bus_path);
    return !file_stamp_equal(&now, &c->bus_stamp);
}

static bool check_key(const struct tls_pair *p, struct err *e) {
    int type = EVP_PKEY_get_base_id(p->key);
    if (type != EVP_PKEY_EC && type != EVP_PKEY_RSA) {
        err_set(e, ERR_INVALID, "its key is neither ECDSA nor RSA, which agents do not take");
        return err_hint(e, "make one: openssl ecparam -name prime256v1 -genkey -noout -out KEY");
    }
    if (EVP_PKEY_get_security_bits(p->key) >= SECURITY_BITS_LEAST) return true;
    err_set(e, ERR_INVALID, "its key of %d bits is too weak", EVP_PKEY_get_bits(p->key));
    return err_hint(e, "use ECDSA P-256, or RSA of at least 2048 bits");
}

static bool check_time(const struct tls_pair *p, int64_t now_ms, struct err *e) {
    char at[CLOCK_RFC3339_SIZE];
    if (now_ms >= tls_pair_expires_ms(p)) {
        err_set(e, ERR_INVALID, "the certificate has expired at %s",
                clock_rfc3339(tls_pair_expires_ms(p), at));
        return err_hint(e, "renew it, or leave out --tls-cert: the grid's own CA signs one then");
    }
    if (now_ms >= tls_pair_begins_ms(p)) return true;
    err_set(e, ERR_INVALID, "the certificate is valid only from %s",
            clock_rfc3339(tls_pair_begins_ms(p), at));
    return err_hint(e, "is the clock of this machine right? date -u");
}

static bool read_given_text(const struct certificates *c, struct text *pem, struct err *e) {
    if (c->given_key[0] != '\0' && !file_read(c->given_key, 1 << 20, pem, e))
        return err_wrap(e, "--tls-key");
    text_add(pem, "\n");
    return file_read(c->given_certificate, 1 << 20, pem, e) || err_wrap(e, "--tls-cert");
}

static bool read_given(const struct certificates *c, int64_t now_ms, struct tls_pair **out,
                       struct err *e) {
    OWN_TEXT struct text pem = TEXT_SECRET;
    OWN(tls_pair) struct tls_pair *p = NULL;
    if (!read_given_text(c, &pem, e)) return false;
    if (!tls_pair_parse(&p, text_value(&pem), e) || !check_key(p, e) || !check_time(p, now_ms, e))
        return err_wrap(e, "--tls-cert %s", c->given_certificate);
    if (!write_pair(p, c->http_path, e)) return false;
    *out = TAKE(p);
    return true;
}

static struct given_stamps take_stamps(const struct certificates *c) {
    return (struct given_stamps){file_stamp(c->given_certificate), file_stamp(c->given_key)};
}

static bool same_stamps(const struct given_stamps *a, const struct given_stamps *b) {
    return file_stamp_equal(&a->certificate, &b->certificate) && file_stamp_equal(&a->key, &b->key);
}

/* *out stays NULL when what HTTP shows is what is there. What could not be read is read again: the
 * failure may pass without a change of the files, for want of descriptors or of a mount. */
static bool read_given_anew(struct certificates *c, int64_t now_ms, struct tls_pair **out,
                            struct err *e) {
    struct given_stamps now = take_stamps(c);
    if (same_stamps(&now, &c->shown)) return true;
    if (!same_stamps(&now, &c->tried)) c->told = (struct err){0};
    c->tried = now;
    if (!read_given(c, now_ms, out, e)) return false;
    c->shown = now;
    return true;
}

static bool open_given(struct certificates *c, const struct certificates_options *o,
                       struct err *e) {
    const char *key = o->given_key != NULL ? o->given_key : "";
    if (!text_copy(c->given_certificate, sizeof c->given_certificate, o->given_certificate) ||
        !text_copy(c->given_key, sizeof c->given_key, key))
        return err_set(e, ERR_INVALID, "a path of a certificate is too long");
    if (!file_join(c->http_path, sizeof c->http_path, c->directory, "given.pem", e)) return false;
    return read_given_anew(c, clock_wall_ms(), &c->http, e);
}

static const char **copy_names(const char *const *names) {
    size_t count = 0;
    while (names != NULL && names[count] != NULL) count++;
    const char **copy = memory_zeroed(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++) copy[i] = text_duplicate(names[i]);
    return copy;
}

/* gridctl on this machine needs to know no more: neither names nor CAs. */
static bool write_pin(struct certificates *c, struct err *e) {
    char path[PATH_MAX], pin[CERTIFICATES_PIN_SIZE], line[CERTIFICATES_PIN_SIZE + 1];
    certificates_http_pin(c, pin);
    snprintf(line, sizeof line, "%s\n", pin);
    return file_join(path, sizeof path, c->directory, "pin", e) &&
           file_write_durable(path, line, strlen(line), 0644, e);
}

static bool open_all(struct certificates *c, const struct certificates_options *o, struct err *e) {
    if (!file_join(c->directory, sizeof c->directory, o->state_directory, "tls", e) ||
        !file_make_directory(c->directory, 0700, e))
        return false;
    file_drop_unfinished(c->directory);
    if (!open_ca(c, e) || !open_bus(c, e)) return false;
    return (o->given_certificate != NULL ? open_given(c, o, e) : open_own(c, e)) && write_pin(c, e);
}

bool certificates_open(struct certificates **out, const struct certificates_options *options,
                       struct err *e) {
    OWN(certificates) struct certificates *c = memory_zeroed(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->added_names = copy_names(options->names);
    if (!open_all(c, options, e)) return false;
    *out = TAKE(c);
    return true;
}

const char *certificates_http_path(const struct certificates *c) {
    return c->http_path;
}

const char *certificates_bus_path(const struct certificates *c) {
    return c->bus_path;
}

const char *certificates_ca_path(const struct certificates *c) {
    return c->ca_path;
}

const char *certificates_ca_pem(const struct certificates *c) {
    return c->ca_pem.data;
}

const char *certificates_ca_sha256(const struct certificates *c) {
    return c->ca_sha256;
}

void certificates_http_pin(struct certificates *c, char out[CERTIFICATES_PIN_SIZE]) {
    char pin[TLS_PIN_SIZE];
    pthread_mutex_lock(&c->lock);
    tls_pair_pin(c->http, pin);
    const char *before = c->pin_before;
    snprintf(out, CERTIFICATES_PIN_SIZE, "%s%s%s", pin, before[0] != '\0' ? ";" : "", before);
    pthread_mutex_unlock(&c->lock);
}

int64_t certificates_http_expires_ms(struct certificates *c) {
    pthread_mutex_lock(&c->lock);
    int64_t expires_ms = tls_pair_expires_ms(c->http);
    pthread_mutex_unlock(&c->lock);
    return expires_ms;
}

static void exchange(struct certificates *c, struct tls_pair *next) {
    char before[TLS_PIN_SIZE];
    char after[TLS_PIN_SIZE];
    pthread_mutex_lock(&c->lock);
    struct tls_pair *old = c->http;
    tls_pair_pin(old, before);
    tls_pair_pin(next, after);
    if (strcmp(before, after) != 0) memcpy(c->pin_before, before, sizeof before);
    c->http = next;
    pthread_mutex_unlock(&c->lock);
    tls_pair_free(old);
}

static bool sign_own_anew(struct certificates *c, int64_t now_ms, struct tls_pair **out,
                          struct err *e) {
    int64_t since_ms = now_ms - c->named_at_ms;
    if (since_ms >= 0 && since_ms < NAMES_EVERY_MS && !is_due(c->http, now_ms)) return true;
    return sign_when_due(c, c->http, now_ms, out, e);
}

static bool renew(struct certificates *c, int64_t now_ms, bool *renewed, struct err *e) {
    struct tls_pair *next = NULL; /* only who renews changes c->http */
    bool done =
        is_given(c) ? read_given_anew(c, now_ms, &next, e) : sign_own_anew(c, now_ms, &next, e);
    if (!done) return false;
    *renewed = next != NULL;
    if (*renewed) exchange(c, next);
    c->pin_is_due = c->pin_is_due || *renewed;
    if (c->pin_is_due && !write_pin(c, e)) return false;
    c->pin_is_due = false;
    return true;
}

bool certificates_renew(struct certificates *c, int64_t now_wall_ms, bool *renewed, struct err *e) {
    *renewed = false;
    *e = (struct err){0};
    bool done = renew(c, now_wall_ms, renewed, e);
    bool is_news = !done && strcmp(e->text, c->told.text) != 0;
    c->told = *e;
    return !is_news;
}
