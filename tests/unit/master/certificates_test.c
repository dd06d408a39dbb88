#include "master/certificates.h"

#include "lib/clock.h"
#include "lib/pem.h"
#include "master/certificate.h"
#include "master/certificates_names.h"
#include "tests/unit/lib/temporary.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define DAY_MS INT64_C(86400000)

#define assert_ok(call) assert_done((call), &error)
static void assert_done(bool done, const struct err *e) {
    if (!done) fail_msg("%s", e->text);
}

static void assert_says(const char *text, const char *words) {
    if (strstr(text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static struct certificates *open_with(const struct certificates_options *options) {
    struct err error = {0};
    struct certificates *c = NULL;
    struct certificates_options o = *options;
    o.state_directory = temporary_directory;
    assert_ok(certificates_open(&c, &o, &error));
    return c;
}

static struct certificates *open_own(void) {
    const struct certificates_options options = {0};
    return open_with(&options);
}

static struct tls_pair *read_pair(const char *path) {
    struct err error = {0};
    struct tls_pair *p = NULL;
    assert_ok(tls_pair_read(&p, path, &error));
    return p;
}

static void put(const char *name, const struct text *words) {
    struct err error = {0};
    assert_ok(file_write_durable(TEMPORARY(name), words->data, words->length, 0600, &error));
}

/* A certificate of somebody else's CA, as NAME.pem and NAME.key. */
static void give(const char *certificate, const char *key, int64_t begins_ms, int64_t expires_ms) {
    struct err error = {0};
    static const char *const names[] = {"grid.example.org", NULL};
    OWN(tls_pair) struct tls_pair *ca = NULL;
    OWN(tls_pair) struct tls_pair *p = NULL;
    const struct certificate_request request = {"given", names, begins_ms, expires_ms, NULL};
    OWN_TEXT struct text key_words = TEXT_EMPTY;
    OWN_TEXT struct text chain_words = TEXT_EMPTY;
    assert_ok(certificate_make_ca(&ca, "other CA", &error));
    assert_ok(certificate_sign(&p, &request, ca, &error));
    certificate_add_key(p, &key_words);
    certificate_add_chain(p, &chain_words);
    certificate_add_chain(ca, &chain_words);
    put(key, &key_words);
    put(certificate, &chain_words);
}

static void open_given_fails(const char *certificate, const char *key, const char *words) {
    struct err error = {0};
    struct certificates *c = NULL;
    struct temporary_path certificate_path = temporary_path(certificate);
    struct temporary_path key_path = temporary_path(key);
    const struct certificates_options o = {.state_directory = temporary_directory,
                                           .given_certificate = certificate_path.text,
                                           .given_key = key_path.text};
    assert_false(certificates_open(&c, &o, &error));
    assert_null(c);
    assert_says(error.text, words);
}

static void first_open_makes_a_ca_and_what_it_signs(void **state) {
    (void)state;
    struct err error = {0};
    OWN(certificates) struct certificates *c = open_own();
    OWN(tls_pair) struct tls_pair *http = read_pair(certificates_http_path(c));
    OWN(tls_pair) struct tls_pair *bus = read_pair(certificates_bus_path(c));
    int64_t now_ms = clock_wall_ms();
    assert_true(tls_pair_names(http, "localhost"));
    assert_true(tls_pair_names(http, "127.0.0.1"));
    assert_true(tls_pair_names(http, "::1"));
    assert_false(tls_pair_names(http, "grid.example.org"));
    assert_true(tls_pair_names(bus, CERTIFICATES_NAME));
    assert_in_range(tls_pair_expires_ms(http) - now_ms, 89 * DAY_MS, 90 * DAY_MS);
    assert_in_range(tls_pair_expires_ms(bus) - now_ms, 3600 * DAY_MS, 3660 * DAY_MS);
    assert_int_equal(tls_pair_begins_ms(bus), 0);
    assert_int_equal(certificates_http_expires_ms(c), tls_pair_expires_ms(http));

    char digest[SHA256_HEX_SIZE];
    assert_ok(pem_certificate_sha256(certificates_ca_pem(c), digest, &error));
    assert_string_equal(digest, certificates_ca_sha256(c));
}

static void private_keys_are_the_owners_alone(void **state) {
    (void)state;
    static const char *const files[] = {"tls/ca.key", "tls/http.pem", "tls/bus.pem"};
    certificates_close(open_own());
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct stat status;
        assert_int_equal(stat(TEMPORARY(files[i]), &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
}

static void later_open_finds_the_same(void **state) {
    (void)state;
    OWN(certificates) struct certificates *first = open_own();
    OWN(certificates) struct certificates *later = open_own();
    char pins[2][CERTIFICATES_PIN_SIZE];
    certificates_http_pin(first, pins[0]);
    certificates_http_pin(later, pins[1]);
    assert_string_equal(pins[0], pins[1]);
    assert_string_equal(certificates_ca_sha256(first), certificates_ca_sha256(later));
    assert_int_equal(certificates_http_expires_ms(first), certificates_http_expires_ms(later));
}

static void names_that_are_added_are_signed_with_the_same_key(void **state) {
    (void)state;
    static const char *const names[] = {"Grid.Example.org", "192.0.2.7", "2001:db8::7", NULL};
    const struct certificates_options options = {.names = names};
    char pins[2][CERTIFICATES_PIN_SIZE];
    OWN(certificates) struct certificates *plain = open_own();
    OWN(certificates) struct certificates *named = open_with(&options);
    OWN(tls_pair) struct tls_pair *http = read_pair(certificates_http_path(named));
    assert_true(tls_pair_names(http, "grid.example.org"));
    assert_true(tls_pair_names(http, "192.0.2.7"));
    assert_true(tls_pair_names(http, "2001:db8::7"));
    certificates_http_pin(plain, pins[0]);
    certificates_http_pin(named, pins[1]);
    assert_string_equal(pins[0], pins[1]);
}

static void a_third_before_its_end_it_is_signed_anew_with_its_key(void **state) {
    (void)state;
    struct err error = {0};
    OWN(certificates) struct certificates *c = open_own();
    int64_t now_ms = clock_wall_ms();
    int64_t expires_ms = certificates_http_expires_ms(c);
    bool renewed = true;
    char pins[2][CERTIFICATES_PIN_SIZE];
    certificates_http_pin(c, pins[0]);
    assert_ok(certificates_renew(c, now_ms + 59 * DAY_MS, &renewed, &error));
    assert_false(renewed);
    assert_ok(certificates_renew(c, now_ms + 61 * DAY_MS, &renewed, &error));
    assert_true(renewed);
    assert_true(certificates_http_expires_ms(c) > expires_ms + 60 * DAY_MS);
    certificates_http_pin(c, pins[1]);
    assert_string_equal(pins[0], pins[1]);
    OWN(tls_pair) struct tls_pair *http = read_pair(certificates_http_path(c));
    assert_int_equal(tls_pair_expires_ms(http), certificates_http_expires_ms(c));
}

static void a_clock_that_was_ahead_leaves_no_certificate_of_the_future(void **state) {
    (void)state;
    struct err error = {0};
    OWN(certificates) struct certificates *c = open_own();
    int64_t now_ms = clock_wall_ms();
    bool renewed = false;
    assert_ok(certificates_renew(c, now_ms + 4000 * DAY_MS, &renewed, &error));
    assert_true(renewed);
    assert_ok(certificates_renew(c, now_ms, &renewed, &error));
    assert_true(renewed);
    assert_in_range(certificates_http_expires_ms(c) - now_ms, 89 * DAY_MS, 91 * DAY_MS);
}

static void a_ca_that_is_damaged_is_never_replaced(void **state) {
    (void)state;
    certificates_close(open_own());
    static const char *const files[] = {"tls/ca.pem", "tls/ca.key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct err error = {0};
        struct certificates *c = NULL;
        OWN_TEXT struct text kept = TEXT_EMPTY;
        OWN_TEXT struct text broken = TEXT_EMPTY;
        const struct certificates_options o = {.state_directory = temporary_directory};
        assert_ok(file_read(TEMPORARY(files[i]), 65536, &kept, &error));
        text_add(&broken, "broken\n");
        put(files[i], &broken);
        assert_false(certificates_open(&c, &o, &error));
        assert_string_equal(err_code_name(error.code), "corrupt");
        assert_int_equal(unlink(TEMPORARY(files[i])), 0);
        assert_false(certificates_open(&c, &o, &error));
        assert_string_equal(err_code_name(error.code), "corrupt");
        assert_says(error.hint, "backup");
        put(files[i], &kept);
    }
    certificates_close(open_own());
}

static void broken_certificates_of_the_own_ca_are_made_anew(void **state) {
    (void)state;
    certificates_close(open_own());
    OWN_TEXT struct text broken = TEXT_EMPTY;
    text_add(&broken, "-----BEGIN CERTIFICATE-----\n");
    put("tls/http.pem", &broken);
    put("tls/bus.pem", &broken);
    OWN(certificates) struct certificates *c = open_own();
    OWN(tls_pair) struct tls_pair *http = read_pair(certificates_http_path(c));
    OWN(tls_pair) struct tls_pair *bus = read_pair(certificates_bus_path(c));
    assert_true(tls_pair_names(http, "localhost"));
    assert_true(tls_pair_names(bus, CERTIFICATES_NAME));
}

static void given_certificates_that_cannot_serve_are_refused(void **state) {
    (void)state;
    int64_t now_ms = clock_wall_ms();
    OWN_TEXT struct text words = TEXT_EMPTY;
    text_add(&words, "neither\n");
    put("words.pem", &words);
    give("a.pem", "a.key", now_ms - DAY_MS, now_ms + DAY_MS);
    give("b.pem", "b.key", now_ms - DAY_MS, now_ms + DAY_MS);
    give("old.pem", "old.key", now_ms - 2 * DAY_MS, now_ms - DAY_MS);
    give("young.pem", "young.key", now_ms + DAY_MS, now_ms + 2 * DAY_MS);
    open_given_fails("a.pem", "b.key", "does not belong to the private key");
    open_given_fails("old.pem", "old.key", "expired");
    open_given_fails("young.pem", "young.key", "valid only from");
    open_given_fails("missing.pem", "a.key", "--tls-cert");
    open_given_fails("a.pem", "missing.key", "--tls-key");
    open_given_fails("words.pem", "a.key", "no certificate");
    open_given_fails("a.pem", "words.pem", "no private key");
}

static void a_given_certificate_is_exchanged_while_running(void **state) {
    (void)state;
    struct err error = {0};
    int64_t now_ms = clock_wall_ms();
    bool renewed = true;
    char pins[3][CERTIFICATES_PIN_SIZE];
    char joined[CERTIFICATES_PIN_SIZE + 1];
    give("a.pem", "a.key", now_ms - DAY_MS, now_ms + DAY_MS);
    struct temporary_path certificate = temporary_path("a.pem");
    struct temporary_path key = temporary_path("a.key");
    const struct certificates_options options = {.given_certificate = certificate.text,
                                                 .given_key = key.text};
    OWN(certificates) struct certificates *c = open_with(&options);
    certificates_http_pin(c, pins[0]);
    assert_ok(certificates_renew(c, now_ms, &renewed, &error));
    assert_false(renewed);

    give("a.pem", "other.key", now_ms - DAY_MS, now_ms + 9 * DAY_MS);
    assert_false(certificates_renew(c, now_ms, &renewed, &error));
    assert_says(error.text, "does not belong");
    assert_ok(certificates_renew(c, now_ms, &renewed, &error)); /* said once */
    assert_false(renewed);
    certificates_http_pin(c, pins[1]);
    assert_string_equal(pins[0], pins[1]);

    give("a.pem", "a.key", now_ms - DAY_MS, now_ms + 9 * DAY_MS);
    assert_ok(certificates_renew(c, now_ms, &renewed, &error));
    assert_true(renewed);
    assert_in_range(certificates_http_expires_ms(c) - now_ms, 8 * DAY_MS, 9 * DAY_MS);
    certificates_http_pin(c, pins[2]); /* the new one, and the one that agents still know */
    snprintf(joined, sizeof joined, ";%s", pins[0]);
    assert_says(pins[2], joined);
    OWN(tls_pair) struct tls_pair *http = read_pair(certificates_http_path(c));
    assert_true(tls_pair_names(http, "grid.example.org"));
    assert_int_equal(sk_X509_num(http->chain), 1);
}

static void another_file_for_the_bus_is_noticed(void **state) {
    (void)state;
    OWN(certificates) struct certificates *c = open_own();
    assert_false(certificates_bus_outdated(c));
    assert_int_equal(unlink(certificates_bus_path(c)), 0);
    assert_true(certificates_bus_outdated(c));
    OWN(certificates) struct certificates *next = open_own();
    assert_false(certificates_bus_outdated(next));
    assert_true(certificates_bus_outdated(c));
}

/* The file is what it was before, as after a mount that came late. */
static void a_given_certificate_that_could_not_be_read_is_read_again(void **state) {
    (void)state;
    struct err error = {0};
    int64_t now_ms = clock_wall_ms();
    bool renewed = false;
    give("a.pem", "a.key", now_ms - DAY_MS, now_ms + DAY_MS);
    give("b.pem", "b.key", now_ms - DAY_MS, now_ms + 9 * DAY_MS);
    struct temporary_path certificate = temporary_path("a.pem");
    struct temporary_path key = temporary_path("a.key");
    const struct certificates_options options = {.given_certificate = certificate.text,
                                                 .given_key = key.text};
    OWN(certificates) struct certificates *c = open_with(&options);
    struct temporary_path new_key = temporary_path("b.key");
    struct temporary_path new_certificate = temporary_path("b.pem");
    assert_int_equal(rename(new_key.text, key.text), 0);
    assert_int_equal(rename(new_certificate.text, certificate.text), 0);

    struct rlimit all, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    none = (struct rlimit){0, all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool failed = !certificates_renew(c, now_ms, &renewed, &error);
    bool said_once = certificates_renew(c, now_ms, &renewed, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_true(failed && said_once && !renewed);
    assert_says(error.text, "Too many open files");

    assert_ok(certificates_renew(c, now_ms, &renewed, &error));
    assert_true(renewed);
    assert_in_range(certificates_http_expires_ms(c) - now_ms, 8 * DAY_MS, 9 * DAY_MS);
}

static void names_are_checked(void **state) {
    (void)state;
    static const char *const good[] = {
        "a", "grid.example.org", "*.example.org", "192.0.2.1", "::1", "host_1"};
    static const char *const bad[] = {"",  "-a",  "a-",    "a..b",   "a b",      "a,b",
                                      "*", "a.*", "[::1]", "a:7001", "https://a"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!certificates_name_valid(good[i])) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (certificates_name_valid(bad[i])) fail_msg("%s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TEMPORARY(first_open_makes_a_ca_and_what_it_signs),
        IN_TEMPORARY(private_keys_are_the_owners_alone),
        IN_TEMPORARY(later_open_finds_the_same),
        IN_TEMPORARY(names_that_are_added_are_signed_with_the_same_key),
        IN_TEMPORARY(a_third_before_its_end_it_is_signed_anew_with_its_key),
        IN_TEMPORARY(a_clock_that_was_ahead_leaves_no_certificate_of_the_future),
        IN_TEMPORARY(a_ca_that_is_damaged_is_never_replaced),
        IN_TEMPORARY(broken_certificates_of_the_own_ca_are_made_anew),
        IN_TEMPORARY(given_certificates_that_cannot_serve_are_refused),
        IN_TEMPORARY(a_given_certificate_is_exchanged_while_running),
        IN_TEMPORARY(another_file_for_the_bus_is_noticed),
        IN_TEMPORARY(a_given_certificate_that_could_not_be_read_is_read_again),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
