/* What HTTPS adds to HTTP; what both have, the other tests of the server show over both. */
#include "tests/unit/lib/http_fixture.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/http_client.h"
#include "lib/tls_pair.h"

#include <sys/resource.h>

static char directory[] = "/tmp/grid-http-tls-XXXXXX";

static const char *file(const char *name) {
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void run_in_directory(const char *command) {
    OWN_TEXT struct text line = TEXT_EMPTY;
    text_add_format(&line, "cd %s && { %s; } >log 2>&1", directory, command);
    int status = system(line.data); /* NOLINT(cert-env33-c): a command of this test */
    if (status != 0) fail_msg("failed: %s", command);
}

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

/* NAME.pem with key and certificate of its own, for these names. */
static void make_certificate_for(const char *name, const char *names) {
    OWN_TEXT struct text command = TEXT_EMPTY;
    text_add_format(&command,
                    "openssl req -x509 " NEW_KEY " -days 2 -subj /CN=%s -addext "
                    "subjectAltName=%s -keyout k -out c && cat k c >%s.pem",
                    name, names, name);
    run_in_directory(command.data);
}

static void make_certificate(const char *name) {
    make_certificate_for(name, "IP:127.0.0.1,DNS:localhost");
}

static void hello(struct http_request *r) {
    http_reply_text(r, 200, "text/plain", "hello", 5);
}

static bool everybody(struct http_request *r, enum http_role role, struct err *e) {
    (void)e;
    http_set_principal(r, "token:a", role);
    return true;
}

static const struct http_route routes[] = {
    {"GET", "/hello",  HTTP_PUBLIC, hello, 0, 0, NULL},
    {"GET", "/agents", HTTP_VIEWER, hello, 0, 0, NULL},
};
#define SERVED .routes = routes, .route_count = 2, .authorize = everybody

static struct served serve(struct http_server_options options) {
    options.certificate = file("a.pem");
    return serve_with(options);
}

struct client {
    SSL_CTX *context;
    SSL *tls; /* NULL: no agreement was reached */
    int fd;
};

/* Agrees, or not, with a client that was set up by prepare (may be NULL). */
static struct client agree(int port, void (*prepare)(SSL_CTX *)) {
    struct client c = {.context = SSL_CTX_new(TLS_client_method()), .fd = dial(port)};
    if (prepare != NULL) prepare(c.context);
    c.tls = SSL_new(c.context);
    SSL_set_fd(c.tls, c.fd);
    if (SSL_connect(c.tls) == 1) return c;
    SSL_free(c.tls);
    c.tls = NULL;
    return c;
}

static void leave(struct client *c) {
    if (c->tls != NULL) SSL_shutdown(c->tls);
    SSL_free(c->tls);
    SSL_CTX_free(c->context);
    close(c->fd);
}

/* The status of the answer; 0: none came. */
static int ask(struct client *c, const char *path) {
    char words[4096];
    snprintf(words, sizeof words, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    if (c->tls == NULL || SSL_write(c->tls, words, (int)strlen(words)) <= 0) return 0;
    int got = SSL_read(c->tls, words, sizeof words - 1);
    if (got <= 0) return 0;
    words[got] = '\0';
    return strncmp(words, "HTTP/1.1 ", 9) == 0 ? (int)strtol(words + 9, NULL, 10) : 0;
}

static int ask_once(int port, void (*prepare)(SSL_CTX *), const char *path) {
    struct client c = agree(port, prepare);
    int status = ask(&c, path);
    leave(&c);
    return status;
}

static void only_tls_1_1(SSL_CTX *context) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
}

static void only_tls_1_2(SSL_CTX *context) {
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
}

static void only_cbc(SSL_CTX *context) {
    only_tls_1_2(context);
    SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-SHA256");
}

static void versions_before_1_2_are_refused(void **state) {
    (void)state;
    struct served s = serve((struct http_server_options){SERVED});
    assert_int_equal(ask_once(s.port, only_tls_1_1, "/hello"), 0);
    assert_int_equal(ask_once(s.port, only_cbc, "/hello"), 0);
    assert_int_equal(ask_once(s.port, only_tls_1_2, "/hello"), 200);
    struct client c = agree(s.port, NULL);
    assert_string_equal(SSL_get_version(c.tls), "TLSv1.3");
    assert_string_equal(SSL_get_cipher_name(c.tls), "TLS_AES_128_GCM_SHA256");
    leave(&c);
    http_server_stop(s.server);
}

static void plain_http_is_told_to_use_https(void **state) {
    (void)state;
    struct served s = serve((struct http_server_options){SERVED});
    OWN_REPLY struct reply r;
    exchange(s.port, "GET /hello", "", &r);
    assert_int_equal(r.status, 400);
    assert_non_null(strstr(r.body.data, "use https://"));
    assert_int_equal(ask_once(s.port, NULL, "/hello"), 200);
    http_server_stop(s.server);
}

/* Each of these is given up, and how late does not count: without a deadline nothing would come. */
static void who_does_not_finish_the_handshake_is_given_up(void **state) {
    (void)state;
    static const char hello_begun[] = "\x16\x03\x01\x02\x00\x01";
    static const char garbage[] = "\x16\x03\x01\x00\x05hello";
    struct served s = serve((struct http_server_options){SERVED, .header_timeout_ms = 300});
    int silent = dial(s.port);
    int begun = dial(s.port);
    int broken = dial(s.port);
    send_bytes(begun, hello_begun, sizeof hello_begun - 1);
    send_bytes(broken, garbage, sizeof garbage - 1);
    char alert[64];
    while (receive_some(broken, alert, sizeof alert) > 0) {
    }
    assert_true(ended(silent));
    assert_true(ended(begun));
    close(silent);
    close(begun);
    close(broken);
    http_server_stop(s.server);
}

/* The handshake takes most of the time there is for handshake and head together. */
static void handshake_and_head_share_one_deadline(void **state) {
    (void)state;
    enum { DEADLINE_MS = 2500 }; /* two fifths are left for a handshake on a busy machine */
    struct served s = serve((struct http_server_options){SERVED, .header_timeout_ms = DEADLINE_MS});
    int64_t begun_ms = clock_monotonic_ms();
    int fd = dial(s.port);
    usleep(DEADLINE_MS * 6 / 10 * 1000);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    assert_int_equal(SSL_connect(tls), 1);
    assert_true(SSL_write(tls, "GET /hello HTTP/1.1\r\n", 21) > 0);
    char words[512] = "";
    int got = SSL_read(tls, words, sizeof words - 1);
    int64_t took_ms = clock_monotonic_ms() - begun_ms;
    assert_true(got > 0);
    assert_memory_equal(words, "HTTP/1.1 408", 12);
    assert_true(took_ms < DEADLINE_MS * 6 / 10 + DEADLINE_MS); /* two would be at least this */
    SSL_free(tls);
    SSL_CTX_free(context);
    close(fd);
    http_server_stop(s.server);
}

static void too_many_of_one_address_are_denied_by_an_alert(void **state) {
    (void)state;
    struct served s = serve((struct http_server_options){SERVED, .max_connections_per_address = 2});
    struct client first = agree(s.port, NULL);
    struct client second = agree(s.port, NULL);
    assert_int_equal(ask(&first, "/hello"), 200);
    assert_int_equal(ask(&second, "/hello"), 200);
    struct client third = agree(s.port, NULL);
    assert_null(third.tls);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_ACCESS_DENIED);
    assert_int_equal(ask(&first, "/hello"), 200);
    ERR_clear_error();
    leave(&first);
    leave(&second);
    leave(&third);
    http_server_stop(s.server);
}

static int store_session(SSL *tls, SSL_SESSION *session) {
    SSL_SESSION **kept = SSL_get_app_data(tls);
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

static void clients_that_come_back_bring_a_ticket(void **state) {
    (void)state;
    struct served s = serve((struct http_server_options){SERVED});
    SSL_SESSION *session = NULL;
    for (int i = 0; i < 2; i++) {
        struct client c = {.context = SSL_CTX_new(TLS_client_method()), .fd = dial(s.port)};
        SSL_CTX_set_session_cache_mode(c.context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c.context, store_session);
        c.tls = SSL_new(c.context);
        SSL_set_app_data(c.tls, &session);
        SSL_set_fd(c.tls, c.fd);
        if (session != NULL) SSL_set_session(c.tls, session);
        assert_int_equal(SSL_connect(c.tls), 1);
        assert_int_equal(ask(&c, "/hello"), 200);
        assert_int_equal(SSL_session_reused(c.tls), i);
        leave(&c);
    }
    SSL_SESSION_free(session);
    http_server_stop(s.server);
}

static bool shows(int port, const char *name) {
    struct client c = agree(port, NULL);
    assert_non_null(c.tls);
    char shown[64] = "";
    X509 *leaf = SSL_get0_peer_certificate(c.tls);
    X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, shown, sizeof shown);
    leave(&c);
    return strcmp(shown, name) == 0;
}

/* Replaces a.pem, in one step. */
static void exchange_certificate(const char *with) {
    assert_int_equal(rename(file(with), file("a.pem")), 0);
}

static void a_certificate_is_exchanged_while_clients_stay(void **state) {
    (void)state;
    struct served s = serve((struct http_server_options){SERVED, .keep_alive_ms = 60000});
    struct client old = agree(s.port, NULL);
    assert_int_equal(ask(&old, "/hello"), 200);
    make_certificate("b");
    exchange_certificate("b.pem");
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_S * 1000;
    while (!shows(s.port, "b") && clock_monotonic_ms() < deadline_ms) usleep(50000);
    assert_true(shows(s.port, "b"));
    assert_int_equal(ask(&old, "/hello"), 200);

    run_in_directory("echo broken >broken.pem");
    exchange_certificate("broken.pem");
    usleep(1100000); /* so often it is looked at: what is broken is seen, and changes nothing */
    assert_true(shows(s.port, "b"));
    make_certificate("a");
    while (!shows(s.port, "a") && clock_monotonic_ms() < deadline_ms) usleep(50000);
    assert_true(shows(s.port, "a"));
    leave(&old);
    http_server_stop(s.server);
}

/* Leaves descriptors for a client and for the server's end of it, and none to read a file with. */
static void spare_two_descriptors(struct rlimit *before) {
    int next = dup(STDERR_FILENO);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
    const struct rlimit few = {(rlim_t)next + 2, before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void a_certificate_that_could_not_be_read_is_read_again(void **state) {
    (void)state;
    struct rlimit all;
    struct served s = serve((struct http_server_options){SERVED});
    make_certificate("b");
    exchange_certificate("b.pem");
    usleep(1100000); /* so often it is looked at */
    spare_two_descriptors(&all);
    bool shows_old = shows(s.port, "a");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_true(shows_old);
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_S * 1000;
    while (!shows(s.port, "b") && clock_monotonic_ms() < deadline_ms) usleep(50000);
    assert_true(shows(s.port, "b"));
    http_server_stop(s.server);
    make_certificate("a");
}

static void with_client_certificate(SSL_CTX *context) {
    assert_int_equal(SSL_CTX_use_certificate_file(context, file("client.pem"), SSL_FILETYPE_PEM),
                     1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, file("client.key"), SSL_FILETYPE_PEM), 1);
}

static void with_foreign_certificate(SSL_CTX *context) {
    assert_int_equal(SSL_CTX_use_certificate_file(context, file("foreign.pem"), SSL_FILETYPE_PEM),
                     1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, file("foreign.pem"), SSL_FILETYPE_PEM),
                     1);
}

static void make_client_ca(void) {
    make_certificate("foreign");
    run_in_directory("openssl req -x509 " NEW_KEY " -days 2 -subj /CN=clients -keyout ca.key -out "
                     "ca.pem && openssl req " NEW_KEY " -subj /CN=alice -keyout client.key -out "
                     "client.csr && openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key "
                     "-CAcreateserial -days 2 -out client.pem");
}

static void client_certificates_may_be_shown_but_must_be_good(void **state) {
    (void)state;
    make_client_ca();
    struct served s = serve((struct http_server_options){SERVED, .client_ca = file("ca.pem")});
    assert_int_equal(ask_once(s.port, NULL, "/agents"), 200);
    assert_int_equal(ask_once(s.port, with_client_certificate, "/agents"), 200);
    assert_int_equal(ask_once(s.port, with_foreign_certificate, "/hello"), 0);
    http_server_stop(s.server);
}

static void routes_that_are_not_public_can_demand_a_certificate(void **state) {
    (void)state;
    make_client_ca();
    struct served s = serve((struct http_server_options){SERVED, .client_ca = file("ca.pem"),
                                                         .client_certificates = true});
    assert_int_equal(ask_once(s.port, NULL, "/hello"), 200);
    assert_int_equal(ask_once(s.port, NULL, "/agents"), 403);
    assert_int_equal(ask_once(s.port, with_client_certificate, "/agents"), 200);
    assert_int_equal(ask_once(s.port, with_foreign_certificate, "/agents"), 0);
    http_server_stop(s.server);
}

static void files_that_cannot_serve_stop_the_start(void **state) {
    (void)state;
    static const struct {
        const char *command, *words;
    } cases[] = {
        {"rm -f bad.pem",                                  "No such file"   },
        {"echo words >bad.pem",                            "no certificate" },
        {"sed /KEY/,/KEY/d a.pem >bad.pem",                "no private key" },
        {"openssl ecparam -name prime256v1 -genkey -noout >bad.pem; sed -n /CERT/,/CERT/p a.pem "
         ">>bad.pem",                             "does not belong"},
        {"openssl pkey -aes128 -passout pass:a -in a.pem >bad.pem; sed -n /CERT/,/CERT/p a.pem "
         ">>bad.pem",                             "encrypted"      },
        {"sed '/BEGIN CERT/,$s/^MII/MIJ/' a.pem >bad.pem", "certificate"    },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        struct http_server *server = NULL;
        const struct http_server_options options = {SERVED, .address = "127.0.0.1",
                                                    .certificate = file("bad.pem")};
        run_in_directory(cases[i].command);
        assert_false(http_server_start(&server, &options, &e));
        if (strstr(e.text, cases[i].words) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", e.text, cases[i].words);
    }
}

static bool fetch(int port, const char *host, struct http_trust trust, struct err *e) {
    char url[64];
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    snprintf(url, sizeof url, "https://%s:%d/hello", host, port);
    const struct http_call call = {.url = url, .trust = trust, .token = "gt_secret"};
    *e = (struct err){0};
    bool done = http_call(&call, &answer, e) && answer.status == 200;
    if (done) assert_string_equal(text_value(&answer.body), "hello");
    return done;
}

static void fetch_fails(int port, const char *host, struct http_trust trust, const char *words) {
    struct err e;
    assert_false(fetch(port, host, trust, &e));
    assert_string_equal(err_code_name(e.code), "unreachable");
    if (strstr(e.text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void clients_take_the_pinned_key_alone(void **state) {
    (void)state;
    struct err e;
    OWN(tls_pair) struct tls_pair *a = NULL;
    OWN(tls_pair) struct tls_pair *other = NULL;
    char good[TLS_PIN_SIZE], bad[TLS_PIN_SIZE], both[2 * TLS_PIN_SIZE];
    struct served s = serve((struct http_server_options){SERVED});
    make_certificate("other");
    assert_true(tls_pair_read(&a, file("a.pem"), &e));
    assert_true(tls_pair_read(&other, file("other.pem"), &e));
    tls_pair_pin(a, good);
    tls_pair_pin(other, bad);
    snprintf(both, sizeof both, "%s;%s", bad, good);
    if (!fetch(s.port, "127.0.0.1", (struct http_trust){.pin = good}, &e)) fail_msg("%s", e.text);
    if (!fetch(s.port, "127.0.0.1", (struct http_trust){.pin = both}, &e)) fail_msg("%s", e.text);
    fetch_fails(s.port, "127.0.0.1", (struct http_trust){.pin = bad}, "another key");
    fetch_fails(s.port, "127.0.0.1", (struct http_trust){.pin = bad, .anybody = true},
                "another key");
    http_server_stop(s.server);
}

static void clients_take_what_the_ca_signed_for_the_name(void **state) {
    (void)state;
    struct err e;
    OWN_TEXT struct text own = TEXT_EMPTY;
    OWN_TEXT struct text other = TEXT_EMPTY;
    struct served s = serve((struct http_server_options){SERVED});
    make_certificate("other");
    assert_true(file_read(file("a.pem"), 65536, &own, &e));
    assert_true(file_read(file("other.pem"), 65536, &other, &e));
    struct http_trust good = {.ca_pem = own.data};
    if (!fetch(s.port, "localhost", good, &e)) fail_msg("%s", e.text);
    if (!fetch(s.port, "127.0.0.1", good, &e)) fail_msg("%s", e.text);
    fetch_fails(s.port, "localhost", (struct http_trust){.ca_pem = other.data}, "not trusted");
    fetch_fails(s.port, "localhost", (struct http_trust){0}, "not trusted");
    http_server_stop(s.server);

    OWN_TEXT struct text named = TEXT_EMPTY;
    make_certificate_for("named", "DNS:localhost");
    s = serve_with((struct http_server_options){SERVED, .certificate = file("named.pem")});
    assert_true(file_read(file("named.pem"), 65536, &named, &e));
    if (!fetch(s.port, "localhost", (struct http_trust){.ca_pem = named.data}, &e))
        fail_msg("%s", e.text);
    fetch_fails(s.port, "127.0.0.1", (struct http_trust){.ca_pem = named.data}, "not trusted");
    http_server_stop(s.server);
}

static atomic_int tokens_seen;

static bool note_token(struct http_request *r, enum http_role role, struct err *e) {
    (void)e;
    if (http_bearer(r) != NULL) atomic_fetch_add(&tokens_seen, 1);
    http_set_principal(r, "token:a", role);
    return true;
}

static void clients_that_trust_anybody_give_their_token_to_nobody(void **state) {
    (void)state;
    struct err e;
    struct served s = serve(
        (struct http_server_options){.routes = routes, .route_count = 2, .authorize = note_token});
    assert_true(fetch(s.port, "localhost", (struct http_trust){.anybody = true}, &e));
    assert_int_equal(atomic_load(&tokens_seen), 0);
    OWN_TEXT struct text ca = TEXT_EMPTY;
    assert_true(file_read(file("a.pem"), 65536, &ca, &e));
    assert_true(fetch(s.port, "localhost", (struct http_trust){.ca_pem = ca.data}, &e));
    assert_int_equal(atomic_load(&tokens_seen), 1);
    http_server_stop(s.server);
}

static int begin(void **state) {
    (void)state;
    http_client_setup();
    if (mkdtemp(directory) == NULL) return -1;
    make_certificate("a");
    return 0;
}

static int end(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command); /* NOLINT(cert-env33-c): a command of this test */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_before_1_2_are_refused),
        cmocka_unit_test(plain_http_is_told_to_use_https),
        cmocka_unit_test(who_does_not_finish_the_handshake_is_given_up),
        cmocka_unit_test(handshake_and_head_share_one_deadline),
        cmocka_unit_test(too_many_of_one_address_are_denied_by_an_alert),
        cmocka_unit_test(clients_that_come_back_bring_a_ticket),
        cmocka_unit_test(a_certificate_is_exchanged_while_clients_stay),
        cmocka_unit_test(a_certificate_that_could_not_be_read_is_read_again),
        cmocka_unit_test(client_certificates_may_be_shown_but_must_be_good),
        cmocka_unit_test(routes_that_are_not_public_can_demand_a_certificate),
        cmocka_unit_test(files_that_cannot_serve_stop_the_start),
        cmocka_unit_test(clients_take_the_pinned_key_alone),
        cmocka_unit_test(clients_take_what_the_ca_signed_for_the_name),
        cmocka_unit_test(clients_that_trust_anybody_give_their_token_to_nobody),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, begin, end);
}
