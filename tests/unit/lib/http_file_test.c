#include "tests/unit/lib/http_fixture.h"

#include "tests/unit/lib/temporary.h"

#include <fcntl.h>
#include <sys/stat.h>

#define ETAG "8d5e957f297893487bd98fa830fa6413"
#define SIZE 100000

static char path[512];

static void file(struct http_request *r) {
    struct http_file f = {.path = path,
                          .content_type = "application/octet-stream",
                          .etag = ETAG,
                          .cache_control = "public, max-age=31536000, immutable",
                          .repr_digest = "sha-256=:AAAA:",
                          .download_name = "a \"b\".bin"};
    http_reply_file(r, &f);
}

static void plain(struct http_request *r) {
    struct http_file f = {.path = path, .content_type = "text/plain", .etag = ETAG};
    http_reply_file(r, &f);
}

static const struct http_route routes[] = {
    {"GET", "/file",  HTTP_PUBLIC, file,  0, 0, NULL},
    {"GET", "/plain", HTTP_PUBLIC, plain, 0, 0, NULL},
};

static struct served shared;

static char byte_at(int64_t position) {
    return (char)('a' + position % 23);
}

static void make_file(int64_t size) {
    static char piece[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int64_t at = 0; at < size;) {
        size_t length = size - at < (int64_t)sizeof piece ? (size_t)(size - at) : sizeof piece;
        for (size_t i = 0; i < length; i++) piece[i] = byte_at(at + (int64_t)i);
        assert_int_equal(write(fd, piece, length), (ssize_t)length);
        at += (int64_t)length;
    }
    close(fd);
}

static int begin(void **state) {
    if (temporary_begin(state) != 0) return -1;
    snprintf(path, sizeof path, "%s", TEMPORARY("file"));
    make_file(SIZE);
    shared = serve_with((struct http_server_options){.routes = routes, .route_count = 2});
    return 0;
}

static int end(void **state) {
    http_server_stop(shared.server);
    return temporary_end(state);
}

static void the_file_comes_with_the_callers_headers(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /file", "", &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.length, SIZE);
    for (int64_t i = 0; i < SIZE; i++) assert_int_equal(r.body.data[i], byte_at(i));
    assert_string_equal(reply_header(&r, "ETag"), "\"" ETAG "\"");
    assert_string_equal(reply_header(&r, "Cache-Control"), "public, max-age=31536000, immutable");
    assert_string_equal(reply_header(&r, "Repr-Digest"), "sha-256=:AAAA:");
    assert_string_equal(reply_header(&r, "Accept-Ranges"), "bytes");
    assert_string_equal(reply_header(&r, "Content-Disposition"),
                        "attachment; filename=\"a \\\"b\\\".bin\"");
    assert_string_equal(reply_header(&r, "Content-Length"), "100000");
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    assert_null(reply_header(&r, "Last-Modified"));
    assert_null(reply_header(&r, "Content-Range"));
    const char *first = strstr(r.head, "Cache-Control:");
    assert_null(strstr(first + 1, "Cache-Control:"));
}

static void head_tells_the_size(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "HEAD /file", "Range: bytes=0-1\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Length"), "100000");
    assert_string_equal(reply_header(&r, "ETag"), "\"" ETAG "\"");
}

static void ranges_and_conditions_are_honoured(void **state) {
    (void)state;
    static const struct {
        const char *headers;
        int status;
        int64_t first; /* of what is sent */
        int64_t length;
    } cases[] = {
        {"Range: bytes=0-0\r\n",                                           206, 0,     1    },
        {"Range: bytes=99999-\r\n",                                        206, 99999, 1    },
        {"Range: bytes=50000-\r\n",                                        206, 50000, 50000},
        {"Range: bytes=-7\r\n",                                            206, 99993, 7    },
        {"Range: bytes=10-19\r\n",                                         206, 10,    10   },
        {"Range: bytes=10-999999999\r\n",                                  206, 10,    99990},
        {"Range: bytes=100000-\r\n",                                       416, 0,     0    },
        {"Range: bytes=-0\r\n",                                            416, 0,     0    },
        {"Range: bytes=0-1,3-4\r\n",                                       200, 0,     SIZE },
        {"Range: bytes=0-,0-,0-,0-,0-,0-,0-,0-\r\n",                       200, 0,     SIZE },
        {"Range: bytes=9-8\r\n",                                           200, 0,     SIZE },
        {"Range: items=0-1\r\n",                                           200, 0,     SIZE },
        {"Range: bytes=5-\r\nIf-Range: \"" ETAG "\"\r\n",                  206, 5,     99995},
        {"Range: bytes=5-\r\nIf-Range: W/\"" ETAG "\"\r\n",                200, 0,     SIZE },
        {"Range: bytes=5-\r\nIf-Range: \"other\"\r\n",                     200, 0,     SIZE },
        {"Range: bytes=5-\r\nIf-Range: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 200, 0,     SIZE },
        {"Range: bytes=5-\r\nIf-Range: *\r\n",                             200, 0,     SIZE },
        {"Range: bytes=999999-\r\nIf-Range: \"other\"\r\n",                200, 0,     SIZE },
        {"If-None-Match: \"" ETAG "\"\r\n",                                304, 0,     0    },
        {"If-None-Match: \"a\", W/\"" ETAG "\"\r\nRange: bytes=0-1\r\n",   304, 0,     0    },
        {"If-None-Match: *\r\n",                                           304, 0,     0    },
        {"If-None-Match: \"other\"\r\n",                                   200, 0,     SIZE },
        {"If-Match: \"" ETAG "\"\r\n",                                     200, 0,     SIZE },
        {"If-Match: \"other\"\r\n",                                        412, 0,     0    },
        {"If-Match: W/\"" ETAG "\"\r\n",                                   412, 0,     0    },
        {"If-Modified-Since: Wed, 21 Oct 2099 07:28:00 GMT\r\n",           200, 0,     SIZE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, "GET /file", cases[i].headers, &r);
        if (r.status != cases[i].status) fail_msg("%s: %d", cases[i].headers, r.status);
        if (r.status >= 300) continue;
        if ((int64_t)r.body.length != cases[i].length)
            fail_msg("%s: %zu bytes", cases[i].headers, r.body.length);
        for (int64_t k = 0; k < cases[i].length; k++)
            assert_int_equal(r.body.data[k], byte_at(cases[i].first + k));
        if (r.status != 206) continue;
        char range[64];
        snprintf(range, sizeof range, "bytes %" PRId64 "-%" PRId64 "/100000", cases[i].first,
                 cases[i].first + cases[i].length - 1);
        assert_string_equal(reply_header(&r, "Content-Range"), range);
    }
}

static void answers_without_the_file_say_what_they_must(void **state) {
    (void)state;
    OWN_REPLY struct reply beyond;
    exchange(shared.port, "GET /file", "Range: bytes=100000-\r\n", &beyond);
    assert_string_equal(reply_header(&beyond, "Content-Range"), "bytes */100000");
    assert_string_equal(reply_header(&beyond, "Content-Type"), "application/problem+json");
    OWN_REPLY struct reply same;
    exchange(shared.port, "GET /file", "If-None-Match: \"" ETAG "\"\r\n", &same);
    assert_string_equal(reply_header(&same, "ETag"), "\"" ETAG "\"");
    assert_string_equal(reply_header(&same, "Cache-Control"),
                        "public, max-age=31536000, immutable");
}

static void a_connection_serves_ranges_one_after_another(void **state) {
    (void)state;
    int fd = dial(shared.port);
    for (int i = 0; i < 50; i++) {
        char request[128];
        snprintf(request, sizeof request,
                 "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=%d-%d\r\n\r\n", i * 1000,
                 i * 1000 + 999);
        send_words(fd, request);
    }
    for (int i = 0; i < 50; i++) {
        OWN_REPLY struct reply r;
        receive_reply(fd, true, &r);
        assert_int_equal(r.status, 206);
        assert_int_equal(r.body.length, 1000);
        assert_int_equal(r.body.data[0], byte_at(i * 1000));
    }
    close(fd);
}

static void empty_files_have_no_ranges(void **state) {
    (void)state;
    make_file(0);
    OWN_REPLY struct reply whole;
    exchange(shared.port, "GET /plain", "", &whole);
    assert_int_equal(whole.status, 200);
    assert_string_equal(reply_header(&whole, "Content-Length"), "0");
    OWN_REPLY struct reply range;
    exchange(shared.port, "GET /plain", "Range: bytes=0-\r\n", &range);
    assert_int_equal(range.status, 416);
    make_file(SIZE);
}

static void what_is_no_file_is_not_found(void **state) {
    (void)state;
    char kept[sizeof path];
    memcpy(kept, path, sizeof path);
    snprintf(path, sizeof path, "%s", TEMPORARY("missing"));
    OWN_REPLY struct reply missing;
    exchange(shared.port, "GET /file", "", &missing);
    assert_int_equal(missing.status, 404);
    assert_null(
        strstr(missing.body.data, temporary_directory)); /* where files lie is nobody's business */
    snprintf(path, sizeof path, "%s", temporary_directory);
    OWN_REPLY struct reply directory;
    exchange(shared.port, "GET /file", "", &directory);
    assert_int_equal(directory.status, 404);
    snprintf(path, sizeof path, "%s", TEMPORARY("pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    OWN_REPLY struct reply pipe_end;
    exchange(shared.port, "GET /file", "", &pipe_end);
    assert_int_equal(pipe_end.status, 404);
    memcpy(path, kept, sizeof path);
}

static void large_files_arrive_whole(void **state) {
    (void)state;
    static char piece[1 << 16];
    const int64_t size = (100 << 20) + 7;
    make_file(size);
    int fd = dial(shared.port);
    send_words(fd, "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    struct reply r = {0};
    read_head(fd, &r);
    assert_string_equal(reply_header(&r, "Content-Length"), "104857607");
    int64_t at = 0;
    for (size_t got = 1; got > 0; at += (int64_t)got) {
        got = receive_some(fd, piece, sizeof piece);
        for (size_t i = 0; i < got; i++)
            if (piece[i] != byte_at(at + (int64_t)i)) fail_msg("byte %" PRId64, at + (int64_t)i);
    }
    assert_int_equal(at, size);
    close(fd);
    make_file(SIZE);
}

static void a_file_that_shrinks_is_seen_as_cut(void **state) {
    (void)state;
    make_file(64 << 20);
    int fd = dial(shared.port);
    send_words(fd, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    struct reply r = {0};
    read_head(fd, &r); /* the sender waits for us now: sockets hold less than this file */
    assert_int_equal(truncate(path, 1000), 0);
    text_clear(&r.body);
    read_exactly(fd, &r, 64 << 20);
    assert_true(r.cut);
    reply_fini(&r);
    close(fd);
    make_file(SIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_comes_with_the_callers_headers),
        cmocka_unit_test(head_tells_the_size),
        cmocka_unit_test(ranges_and_conditions_are_honoured),
        cmocka_unit_test(answers_without_the_file_say_what_they_must),
        cmocka_unit_test(a_connection_serves_ranges_one_after_another),
        cmocka_unit_test(empty_files_have_no_ranges),
        cmocka_unit_test(what_is_no_file_is_not_found),
        cmocka_unit_test(large_files_arrive_whole),
        cmocka_unit_test(a_file_that_shrinks_is_seen_as_cut),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
