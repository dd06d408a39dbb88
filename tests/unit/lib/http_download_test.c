/* Downloads: resumed, begun again, given up with what was received. */
#include "tests/unit/lib/http_client_fixture.h"

static void a_download_arrives_whole(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct watch w = {0};
    struct http_download d = {.url = url("/file"),
                              .fd = fd,
                              .size_bytes = 100000,
                              .progress = watch,
                              .progress_argument = &w};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 100000);
    assert_int_equal(w.done, 100000);
    assert_int_equal(w.total, 100000);
    check_target(fd, 100000);
}

static void a_download_is_resumed(void **state) {
    (void)state;
    static const int64_t offsets[] = {1, 22, 50000, 99999, 100000};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        OWN_FD int fd = open_target();
        struct watch w = {0};
        for (int64_t at = 0; at < offsets[i]; at++) {
            char byte = byte_at(at);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        struct http_download d = {.url = url("/file"),
                                  .fd = fd,
                                  .offset = offsets[i],
                                  .etag = "\"" ETAG "\"",
                                  .size_bytes = 100000,
                                  .progress = watch,
                                  .progress_argument = &w};
        int64_t received = -1;
        struct err e;
        if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
        assert_int_equal(received, 100000);
        assert_false(w.backwards);
        check_target(fd, 100000);
    }
}

static void only_the_rest_is_asked_for(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {
        .bytes =
            "HTTP/1.1 206 Partial\r\nContent-Length: 2\r\nContent-Range: bytes 3-4/5\r\n\r\nde"};
    script_begin(&s);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .token = "secret",
                              .fd = fd,
                              .offset = 3,
                              .etag = "\"e\"",
                              .size_bytes = 5};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    script_end(&s);
    char bytes[6] = "";
    assert_int_equal(pread(fd, bytes, 5, 0), 5);
    assert_string_equal(bytes, "abcde");
    assert_non_null(strstr(s.request, "\r\nRange: bytes=3-\r\n"));
    assert_non_null(strstr(s.request, "\r\nIf-Range: \"e\"\r\n"));
    assert_non_null(strstr(s.request, "\r\nAuthorization: Bearer secret\r\n"));
}

static void a_changed_file_is_begun_again(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    assert_int_equal(pwrite(fd, "old bytes", 9, 0), 9);
    struct http_download d = {
        .url = url("/file"), .fd = fd, .offset = 9, .etag = "\"old\"", .size_bytes = 100000};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 100000);
    check_target(fd, 100000);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define PARTIAL "HTTP/1.1 206 Partial\r\n"

static void bad_downloads_fail_with_what_was_received(void **state) {
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        enum err_code code;
        int64_t received; /* of 5 wanted, 2 being there */
    } cases[] = {
        {"range ignored, then cut",      OK "Content-Length: 5\r\n\r\nabc",                                     ERR_UNREACHABLE, 3},
        {"range ignored, no byte",       OK "Content-Length: 5\r\n\r\n",                                        ERR_UNREACHABLE, 2},
        {"range honoured, then cut",
         PARTIAL "Content-Length: 3\r\nContent-Range: bytes 2-4/5\r\n\r\nc",                                    ERR_UNREACHABLE, 3},
        {"shorter than expected",        OK "Content-Length: 4\r\n\r\nabcd",                                    ERR_UNREACHABLE, 4},
        {"shorter rest",                 PARTIAL "Content-Length: 2\r\nContent-Range: bytes 2-3/4\r\n\r\ncd",
         ERR_UNREACHABLE,                                                                                                        4},
        {"larger than expected",         OK "Content-Length: 6\r\n\r\nabcdef",                                  ERR_UNTRUSTED,   0},
        {"larger without length",        OK "\r\nabcdef",                                                       ERR_UNTRUSTED,   0},
        {"larger total, this range",
         PARTIAL "Content-Length: 3\r\nContent-Range: bytes 2-4/6\r\n\r\ncde",                                  ERR_UNTRUSTED,   2},
        {"larger, seen before it comes", OK "Content-Length: 6\r\n\r\nabc",                                     ERR_UNTRUSTED,   0},
        {"larger total",                 PARTIAL "Content-Length: 4\r\nContent-Range: bytes 2-5/6\r\n\r\ncdef",
         ERR_UNTRUSTED,                                                                                                          2},
        {"larger rest than told",
         PARTIAL "Content-Length: 4\r\nContent-Range: bytes 2-4/5\r\n\r\ncdef",                                 ERR_UNTRUSTED,   2},
        {"another range",                PARTIAL "Content-Length: 4\r\nContent-Range: bytes 1-4/5\r\n\r\nbcde",
         ERR_UNREACHABLE,                                                                                                        2},
        {"no range",                     PARTIAL "Content-Length: 3\r\n\r\ncde",                                ERR_UNREACHABLE, 2},
        {"malformed range",              PARTIAL "Content-Length: 3\r\nContent-Range: bytes x\r\n\r\ncde",
         ERR_UNREACHABLE,                                                                                                        2},
        {"range of nothing",             PARTIAL "Content-Length: 0\r\nContent-Range: bytes 2-1/5\r\n\r\n",
         ERR_UNREACHABLE,                                                                                                        2},
        {"beyond its end",               "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",                        ERR_UNREACHABLE, 0},
        {"not there",                    "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",                      ERR_NOT_FOUND,   2},
        {"busy",                         "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",                        ERR_UNAVAILABLE, 2},
        {"no content",                   "HTTP/1.1 204 No\r\n\r\n",                                             ERR_UNREACHABLE, 2},
        {"nothing at all",               "",                                                                    ERR_UNREACHABLE, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_FD int fd = open_target();
        struct script s = {.bytes = cases[i].bytes};
        script_begin(&s);
        assert_int_equal(pwrite(fd, "ab", 2, 0), 2);
        struct http_download d = {
            .url = url_at(s.port, "/"), .fd = fd, .offset = 2, .etag = "\"e\"", .size_bytes = 5};
        int64_t received = -1;
        struct err e = {0};
        bool done = http_download(&d, &received, &e);
        script_end(&s);
        if (done || e.code != cases[i].code || received != cases[i].received)
            fail_msg("%s: %s (%s), %" PRId64 " received", cases[i].what, err_code_name(e.code),
                     e.text, received);
        char bytes[8] = "";
        ssize_t there = pread(fd, bytes, sizeof bytes - 1, 0);
        assert_true(there >= received && there <= 5);
        assert_memory_equal(bytes, "abcde", (size_t)received);
    }
}

/* The script's thread, too, must get its turn and answer before that is a stall. */
static void a_download_that_stalls_keeps_what_it_has(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {.bytes = OK "Content-Length: 5\r\n\r\nabc", .hangs = true};
    script_begin(&s);
    struct http_download d = {
        .url = url_at(s.port, "/"), .fd = fd, .size_bytes = 5, .stall_timeout_ms = 2000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_int_equal(received, 3);
}

/* Byte after byte for ever is no download. */
static void a_download_that_drips_keeps_what_it_has(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {.bytes = OK "Content-Length: 1000000\r\n\r\nx", .drips = true};
    script_begin(&s);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .fd = fd,
                              .size_bytes = 1000000,
                              .timeout_ms = PATIENCE_S * 1000,
                              .stall_timeout_ms = 2000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "bytes moved within 2000 ms"));
    assert_in_range(received, 1, 999);
}

static void downloads_can_be_cancelled(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct watch w = {.cancel_at = 4};
    struct script s = {.bytes = OK "Content-Length: 1000\r\n\r\nx", .drips = true};
    script_begin(&s);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .fd = fd,
                              .size_bytes = 1000,
                              .progress = watch,
                              .progress_argument = &w};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_in_range(received, 4, 999);
}

static void a_target_that_cannot_be_written_is_told(void **state) {
    (void)state;
    OWN_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct http_download d = {.url = url("/file"), .fd = full, .size_bytes = 100000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_int_equal(received, 0);
    struct http_call call = {.url = url("/file"), .answer_fd = full};
    OWN_HTTP_ANSWER struct http_answer a;
    assert_false(http_call(&call, &a, &e));
    assert_int_equal(e.code, ERR_NO_SPACE);
}

/* A low rate must not look like a stall: this takes longer than one stall timeout. */
static void a_slow_download_is_no_stall(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"),
                              .fd = fd,
                              .size_bytes = 100000,
                              .max_rate_bps = 40000,
                              .stall_timeout_ms = 2000};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    check_target(fd, 100000);
}

/* Every byte renews the patience: this one, of 50 bytes a second, comes to its end after more than
 * one stall timeout, within which the script's thread gets its turn on a busy machine as well. */
static void a_slow_server_is_no_stall(void **state) {
    (void)state;
    struct err e;
    struct watch w = {.cancel_at = 150};
    struct script dripping = {.bytes = OK "Content-Length: 1000000\r\n\r\nx", .drips = true};
    struct http_call call = {.stall_timeout_ms = 2000, .progress = watch, .progress_argument = &w};
    assert_false(call_script(&dripping, call, &e));
    assert_string_equal(e.text, "cancelled");
}

static void large_downloads_arrive_whole(void **state) {
    (void)state;
    make_file(LARGE);
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"), .fd = fd, .size_bytes = LARGE};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    check_target(fd, LARGE);
    make_file(100000);
}

static void an_empty_file_is_a_download_too(void **state) {
    (void)state;
    make_file(0);
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"), .fd = fd, .size_bytes = 0};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 0);
    make_file(100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_download_arrives_whole),
        cmocka_unit_test(a_download_is_resumed),
        cmocka_unit_test(only_the_rest_is_asked_for),
        cmocka_unit_test(a_changed_file_is_begun_again),
        cmocka_unit_test(bad_downloads_fail_with_what_was_received),
        cmocka_unit_test(a_download_that_stalls_keeps_what_it_has),
        cmocka_unit_test(a_download_that_drips_keeps_what_it_has),
        cmocka_unit_test(downloads_can_be_cancelled),
        cmocka_unit_test(a_target_that_cannot_be_written_is_told),
        cmocka_unit_test(a_slow_download_is_no_stall),
        cmocka_unit_test(a_slow_server_is_no_stall),
        cmocka_unit_test(large_downloads_arrive_whole),
        cmocka_unit_test(an_empty_file_is_a_download_too),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
