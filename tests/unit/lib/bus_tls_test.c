#include "lib/bus.h"

#include "lib/bus_openssl.h"
#include "lib/clock.h"
#include "lib/secret.h"
#include "lib/text.h"
#include "tests/unit/lib/authority.h"
#include "tests/unit/lib/temporary.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define LOCAL "127.0.0.1"
#define NAME "grid-master"
#define PATIENCE_MS 20000
#define SILENT 50
#define GREETING_MS 10000

static struct authority ours, theirs;
static struct bus_server *reaper; /* with silent peers from the first test on */
static int silent[SILENT];
static int64_t silent_since_ms;

static struct bus_server *open_server(const char *certificate) {
    struct err e = {0};
    struct bus_server *s = NULL;
    const struct bus_server_options options = {
        .address = LOCAL, .max_parked = 1000, .certificate = certificate};
    if (!bus_server_open(&s, &options, &e)) fail_msg("%s", e.text);
    return s;
}

/* Shows a certificate of ours with this name, or none. */
static struct bus_server *open_named_server(const char *name) {
    if (name == NULL) return open_server(NULL);
    assert_true(authority_sign(&ours, "ours", name, TEMPORARY("bus.pem")));
    return open_server(TEMPORARY("bus.pem"));
}

static struct bus_client *open_client(int port, const char *ca_pem) {
    struct err e = {0};
    struct bus_client *c = NULL;
    const struct bus_trust trust = {ca_pem, NAME};
    if (!bus_client_open(&c, LOCAL, port, ca_pem != NULL ? &trust : NULL, &e))
        fail_msg("%s", e.text);
    return c;
}

/* Lets a request through and back. */
static void exchange(struct bus_server *s, struct bus_client *c, const void *bytes, size_t length) {
    struct bus_arrival arrival;
    size_t got;
    bus_client_send(c, 1, bytes, length, PATIENCE_MS);
    struct bus_request *r = bus_server_next(s, PATIENCE_MS);
    assert_non_null(r);
    const void *received = bus_request_bytes(r, &got);
    assert_int_equal(got, length);
    assert_memory_equal(received, bytes, length);
    assert_string_equal(bus_request_address(r), LOCAL);
    bus_reply(r, bytes, length);
    bus_client_next(c, PATIENCE_MS, &arrival);
    assert_int_equal(arrival.event, BUS_REPLY);
    assert_int_equal(arrival.length, length);
    assert_memory_equal(arrival.bytes, bytes, length);
    free(arrival.bytes);
}

static void requests_and_answers_of_every_size_pass(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, BUS_MESSAGE_MAX_BYTES};
    OWN_MEMORY unsigned char *bytes = memory_zeroed(BUS_MESSAGE_MAX_BYTES, 1);
    random_bytes(bytes, BUS_MESSAGE_MAX_BYTES);
    OWN(bus_server) struct bus_server *s = open_named_server(NAME);
    OWN(bus_client) struct bus_client *c = open_client(bus_server_port(s), ours.pem);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) exchange(s, c, bytes, sizes[i]);
}

static void many_begin_at_once(void **state) {
    (void)state;
    enum { COUNT = 40 };
    struct bus_client *clients[COUNT];
    OWN(bus_server) struct bus_server *s = open_named_server(NAME);
    for (size_t i = 0; i < COUNT; i++) clients[i] = open_client(bus_server_port(s), ours.pem);
    for (size_t i = 0; i < COUNT; i++) exchange(s, clients[i], "x", 1);
    for (size_t i = 0; i < COUNT; i++) bus_client_close(clients[i]);
}

/* What a call to the server says. */
static void call_fails(const struct bus_server *s, const char *ca_pem, enum err_code code,
                       const char *words, const char *hint) {
    struct err e = {0};
    void *answer = NULL;
    size_t length = 0;
    OWN(bus_client) struct bus_client *c = open_client(bus_server_port(s), ca_pem);
    assert_false(bus_call(c, "x", 1, 1000, &answer, &length, &e));
    if (e.code != code || strstr(e.text, words) == NULL || strstr(e.hint, hint) == NULL)
        fail_msg("%s: %s (%s)", err_code_name(e.code), e.text, e.hint);
    assert_false(bus_client_connected(c));
    assert_null(bus_server_next((struct bus_server *)s, 0));
}

static void who_is_not_the_grids_master_hears_nothing(void **state) {
    (void)state;
    static const char foreign[] = "shows no certificate of this grid";
    OWN(bus_server) struct bus_server *s = open_named_server(NAME);
    call_fails(s, theirs.pem, ERR_UNTRUSTED, foreign, "join string");
    OWN(bus_server) struct bus_server *named = open_named_server("another-name");
    call_fails(named, ours.pem, ERR_UNTRUSTED, foreign, "join string");
    /* Their key under our CA's name. */
    assert_true(authority_sign(&theirs, "ours", NAME, TEMPORARY("bus.pem")));
    OWN(bus_server) struct bus_server *rogue = open_server(TEMPORARY("bus.pem"));
    call_fails(rogue, ours.pem, ERR_UNTRUSTED, foreign, "join string");
}

static void one_side_without_tls_says_so(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *with = open_named_server(NAME);
    OWN(bus_server) struct bus_server *without = open_named_server(NULL);
    call_fails(with, NULL, ERR_UNREACHABLE, "closed the connection without a greeting", "ca=");
    call_fails(without, ours.pem, ERR_UNTRUSTED, "shows no certificate of this grid", "--insecure");
}

static void a_certificate_that_cannot_be_used_is_named(void **state) {
    (void)state;
    static const char *const files[] = {"missing.pem", "empty.pem", "garbage.pem", "ca-only.pem"};
    static const enum err_code codes[] = {ERR_NOT_FOUND, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT};
    const char *contents[] = {NULL, "", "-----BEGIN CERTIFICATE-----\nx\n", ours.pem};
    for (size_t i = 0; i < 4; i++) {
        struct err e = {0};
        struct bus_server *s = NULL;
        OWN_MEMORY char *path = text_duplicate(TEMPORARY(files[i]));
        const struct bus_server_options options = {
            .address = LOCAL, .max_parked = 1, .certificate = path};
        if (contents[i] != NULL)
            assert_true(file_write_durable(path, contents[i], strlen(contents[i]), 0600, &e));
        assert_false(bus_server_open(&s, &options, &e));
        assert_int_equal(e.code, codes[i]);
        assert_non_null(strstr(e.text, files[i]));
    }
    struct err e = {0};
    struct bus_client *c = NULL;
    const struct bus_trust trust = {"no certificate", NAME};
    assert_false(bus_client_open(&c, LOCAL, 7000, &trust, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
}

static void a_server_with_another_certificate_is_found_again(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_named_server(NAME);
    int port = bus_server_port(s);
    OWN(bus_client) struct bus_client *c = open_client(port, ours.pem);
    exchange(s, c, "x", 1);
    bus_server_close(TAKE(s));
    assert_true(authority_sign(&ours, "ours", NAME, TEMPORARY("bus.pem")));
    const struct bus_server_options options = {
        .address = LOCAL, .port = port, .max_parked = 4, .certificate = TEMPORARY("bus.pem")};
    struct err e = {0};
    if (!bus_server_open(&s, &options, &e)) fail_msg("%s", e.text);
    exchange(s, c, "y", 1);
}

static int raw_connect(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static size_t open_connections(const struct bus_server *s) {
    struct bus_connections c;
    bus_server_connections(s, &c);
    return c.open;
}

static void wait_until_open(const struct bus_server *s, size_t count) {
    for (int i = 0; i < PATIENCE_MS / 10 && open_connections(s) != count; i++) usleep(10000);
    assert_int_equal(open_connections(s), count);
}

/* The header of a record that announces more than will ever come. */
static void begin_silence(void) {
    static const unsigned char half[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    reaper = open_named_server(NAME);
    silent_since_ms = clock_monotonic_ms();
    for (size_t i = 0; i < SILENT; i++) {
        silent[i] = raw_connect(bus_server_port(reaper));
        if (i % 2 == 0) assert_int_equal(send(silent[i], half, sizeof half, MSG_NOSIGNAL), 11);
    }
    wait_until_open(reaper, SILENT);
}

static void peers_that_are_silent_or_stop_in_the_handshake_are_dropped(void **state) {
    (void)state;
    OWN(bus_client) struct bus_client *c = open_client(bus_server_port(reaper), ours.pem);
    exchange(reaper, c, "x", 1);
    for (size_t i = 0; i < SILENT; i++) {
        char byte;
        struct pollfd wait = {.fd = silent[i], .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        assert_true(recv(silent[i], &byte, 1, 0) <= 0);
        close(silent[i]);
    }
    assert_true(clock_monotonic_ms() - silent_since_ms >= GREETING_MS);
    wait_until_open(reaper, 1);
    exchange(reaper, c, "x", 1);
    bus_client_close(TAKE(c));
    bus_server_close(TAKE(reaper));
}

static void *answer_all(void *server) {
    for (struct bus_request *r; (r = bus_server_next(server, -1)) != NULL;) bus_reply(r, "y", 1);
    return NULL;
}

static int rounds(void) {
    const char *text = getenv("BUS_TLS_ROUNDS");
    return text != NULL ? (int)strtol(text, NULL, 10) : 30;
}

/* Clients go at any moment of handshake, greeting and requests. */
static void clients_close_at_any_moment(void **state) {
    (void)state;
    pthread_t answering;
    OWN(bus_server) struct bus_server *s = open_named_server(NAME);
    assert_int_equal(pthread_create(&answering, NULL, answer_all, s), 0);
    for (int i = 0; i < rounds(); i++) {
        struct bus_client *clients[4];
        for (size_t n = 0; n < 4; n++) {
            clients[n] = open_client(bus_server_port(s), ours.pem);
            for (uint64_t ticket = 0; ticket < 3; ticket++)
                bus_client_send(clients[n], ticket, "x", 1, PATIENCE_MS);
        }
        for (size_t n = 0; n < 4; n++) {
            usleep(random_below(i % 2 == 0 ? 4000 : 40000));
            bus_client_close(clients[n]);
        }
    }
    wait_until_open(s, 0);
    bus_server_stop(s);
    pthread_join(answering, NULL);
}

static void servers_close_at_any_moment(void **state) {
    (void)state;
    for (int i = 0; i < rounds(); i++) {
        struct bus_client *clients[4];
        pthread_t answering;
        struct bus_server *s = open_named_server(NAME);
        assert_int_equal(pthread_create(&answering, NULL, answer_all, s), 0);
        for (size_t n = 0; n < 4; n++) {
            clients[n] = open_client(bus_server_port(s), ours.pem);
            bus_client_send(clients[n], 1, "x", 1, PATIENCE_MS);
        }
        usleep(random_below(i % 2 == 0 ? 8000 : 60000));
        bus_server_stop(s);
        pthread_join(answering, NULL);
        bus_server_close(s);
        for (size_t n = 0; n < 4; n++) bus_client_close(clients[n]);
    }
}

static int begin(void **state) {
    authority_init(&ours, "ours");
    authority_init(&theirs, "theirs");
    if (temporary_begin(state) != 0) return -1;
    if (getenv("GRID_TEST_OPENSSL") != NULL) bus_openssl_use();
    begin_silence();
    return 0;
}

static int end(void **state) {
    authority_fini(&ours);
    authority_fini(&theirs);
    return temporary_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_answers_of_every_size_pass),
        cmocka_unit_test(many_begin_at_once),
        cmocka_unit_test(who_is_not_the_grids_master_hears_nothing),
        cmocka_unit_test(one_side_without_tls_says_so),
        cmocka_unit_test(a_certificate_that_cannot_be_used_is_named),
        cmocka_unit_test(a_server_with_another_certificate_is_found_again),
        cmocka_unit_test(clients_close_at_any_moment),
        cmocka_unit_test(servers_close_at_any_moment),
        cmocka_unit_test(peers_that_are_silent_or_stop_in_the_handshake_are_dropped),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
