/* Calls of a client, with bodies and files up and down, and what becomes of bad answers. */
#include "tests/unit/lib/http_client_fixture.h"

static void a_call_carries_everything_there_and_back(void **state) {
    (void)state;
    static const char *const extra[] = {"X-Extra: yes", NULL};
    struct http_call call = {.method = "POST",
                             .url = url("/mirror"),
                             .token = "secret",
                             .headers = extra,
                             .content_type = "application/json",
                             .body = "{}",
                             .body_length = 2};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    if (!http_call(&call, &a, &e)) fail_msg("%s", e.text);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.data, "POST|application/json|secret|yes|{}");
    assert_string_equal(a.etag, "\"tag\"");
    assert_string_equal(a.content_type, "text/plain");
    assert_string_equal(a.location, "/there");
    assert_int_equal(a.upload_offset, 77);
    assert_int_equal(a.total_count, 12);
    assert_int_equal(a.retry_after_s, 3);
}

static void every_method_works(void **state) {
    (void)state;
    static const struct {
        const char *method;
        const char *body;
        const char *wanted;
    } cases[] = {
        {NULL,     NULL,  "GET|-|-|-|"   },
        {"GET",    NULL,  "GET|-|-|-|"   },
        {"POST",   NULL,  "POST|-|-|-|"  },
        {"PUT",    "abc", "PUT|-|-|-|abc"},
        {"PATCH",  "x",   "PATCH|-|-|-|x"},
        {"DELETE", NULL,  "DELETE|-|-|-|"},
        {"HEAD",   NULL,  ""             },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *body = cases[i].body;
        struct http_call call = {.method = cases[i].method,
                                 .url = url("/mirror"),
                                 .body = body,
                                 .body_length = body != NULL ? strlen(body) : 0};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        if (!http_call(&call, &a, &e)) fail_msg("%s: %s", cases[i].method, e.text);
        assert_int_equal(a.status, 200);
        assert_string_equal(text_value(&a.body), cases[i].wanted);
    }
}

static void any_status_is_an_answer(void **state) {
    (void)state;
    struct http_call call = {.url = url("/refuse/conflict")};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_true(http_call(&call, &a, &e));
    assert_int_equal(a.status, 409);
    assert_int_equal(a.upload_offset, -1);
    assert_int_equal(a.total_count, -1);
    assert_int_equal(a.retry_after_s, -1);
}

static void problems_become_errors(void **state) {
    (void)state;
    static const enum err_code codes[] = {ERR_NOT_FOUND, ERR_CONFLICT,     ERR_UNTRUSTED,
                                          ERR_NO_SPACE,  ERR_RATE_LIMITED, ERR_INTERNAL,
                                          ERR_CORRUPT,   ERR_DENIED};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/refuse/%s", err_code_name(codes[i]));
        struct http_call call = {.url = url(path)};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        assert_false(http_call_ok(&call, &a, &e));
        assert_int_equal(e.code, codes[i]);
        assert_int_equal(a.status, err_http_status(codes[i]));
        assert_null(strchr(e.text, '\x1b')); /* it would colour somebody's terminal */
        assert_non_null(strstr(e.text, err_code_name(codes[i])));
        assert_string_equal(e.hint, "do it better");
    }
}

static void statuses_without_a_problem_become_errors(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        enum err_code code;
    } cases[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", ERR_NOT_FOUND      },
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAUTHENTICATED},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",   ERR_INTERNAL       },
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAVAILABLE    },
        {"HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAVAILABLE    },
        {"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n",   ERR_INVALID        },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "3\r\n\r\n{{{",                          ERR_CONFLICT       },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "15\r\n\r\n{\"code\":\"none\"}",         ERR_CONFLICT       },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "15\r\n\r\n{\"code\":\"what\"}",         ERR_CONFLICT       },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script s = {.bytes = cases[i].bytes};
        script_begin(&s);
        struct http_call call = {.url = url_at(s.port, "/")};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        assert_false(http_call_ok(&call, &a, &e));
        if (e.code != cases[i].code) fail_msg("%s: %s", cases[i].bytes, e.text);
        script_end(&s);
    }
}

static void redirects_are_not_followed(void **state) {
    (void)state;
    struct http_call call = {.url = url("/redirect"), .token = "secret"};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_true(http_call(&call, &a, &e));
    assert_int_equal(a.status, 302);
    assert_string_equal(a.location, "/mirror");
    struct http_download d = {.url = url("/redirect"), .fd = -1, .size_bytes = 1};
    int64_t received = 0;
    assert_false(http_download(&d, &received, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_non_null(strstr(e.text, "302"));
}

static void servers_out_of_reach_are_told(void **state) {
    (void)state;
    struct err e;
    OWN_HTTP_ANSWER struct http_answer a;
    struct http_call refused = {.url = "http://127.0.0.1:1/"};
    assert_false(http_call(&refused, &a, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_non_null(strstr(e.text, "127.0.0.1:1"));
    struct http_call nowhere = {.url = "http://no-such-host.invalid/"};
    assert_false(http_call(&nowhere, &a, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script silent = {.bytes = ""};
    assert_false(call_script(&silent, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script resetting = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                               .resets = true};
    assert_false(call_script(&resetting, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script shortened = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"};
    assert_false(call_script(&shortened, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
}

static void what_is_no_http_url_is_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://", "://", ""};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct http_call call = {.url = urls[i]};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e = {0};
        assert_false(http_call(&call, &a, &e));
        if (e.code != ERR_INVALID) fail_msg("%s: %s", urls[i], e.text);
    }
}

static void a_server_that_hangs_is_given_up(void **state) {
    (void)state;
    struct err e;
    struct script mute = {.bytes = "", .hangs = true};
    assert_false(call_script(&mute, (struct http_call){.stall_timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "no byte moved for 100 ms"));
    struct script stalling = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                              .hangs = true};
    assert_false(call_script(&stalling, (struct http_call){.stall_timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "no byte moved for 100 ms"));
    struct script slow = {.bytes = "", .hangs = true};
    assert_false(call_script(&slow, (struct http_call){.timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "not done within 100 ms"));
}

static void a_server_that_drips_is_given_up(void **state) {
    (void)state;
    struct err e;
    struct script dripping = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx",
                              .drips = true};
    assert_false(call_script(&dripping,
                             (struct http_call){.timeout_ms = 300, .stall_timeout_ms = 10000}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "not done within 300 ms"));
    struct script header = {.bytes = "HTTP/1.1 200 OK\r\nX: x", .drips = true};
    assert_false(
        call_script(&header, (struct http_call){.timeout_ms = 300, .stall_timeout_ms = 10000}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
}

static void answers_have_a_cap(void **state) {
    (void)state;
    struct err e;
    struct script endless = {.bytes = "HTTP/1.1 200 OK\r\n\r\nx", .drips = true};
    assert_false(call_script(&endless, (struct http_call){.answer_max_bytes = 3}, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    struct script fitting = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"};
    assert_true(call_script(&fitting, (struct http_call){.answer_max_bytes = 3}, &e));
}

static void calls_can_be_cancelled(void **state) {
    (void)state;
    struct err e;
    struct watch w = {.cancel_at = 5};
    struct script dripping = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx",
                              .drips = true};
    assert_false(
        call_script(&dripping, (struct http_call){.progress = watch, .progress_argument = &w}, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_string_equal(e.text, "cancelled");
    struct watch at_once = {.cancel_at = -1}; /* while nothing moves at all */
    struct script mute = {.bytes = "", .hangs = true};
    assert_false(call_script(
        &mute, (struct http_call){.progress = watch, .progress_argument = &at_once}, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static void answers_can_go_to_a_file(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct err e;
    struct http_call call = {.url = url("/file"), .answer_fd = fd, .answer_max_bytes = 10};
    OWN_HTTP_ANSWER struct http_answer a;
    if (!http_call_ok(&call, &a, &e)) fail_msg("%s", e.text);
    assert_int_equal(a.file_bytes, 100000);
    assert_int_equal(a.body.length, 0);
    check_target(fd, 100000);
    struct http_call wrong = {.url = url("/refuse/conflict"), .answer_fd = fd};
    OWN_HTTP_ANSWER struct http_answer b;
    assert_false(http_call_ok(&wrong, &b, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(b.file_bytes, 0);
    check_target(fd, 100000);
}

static void large_files_go_up_from_a_descriptor(void **state) {
    (void)state;
    make_file(LARGE + 23);
    struct watch w = {0};
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    lseek(fd, 23, SEEK_SET); /* from its position on */
    struct http_call call = {.method = "PUT",
                             .url = url("/count"),
                             .body_fd = fd,
                             .body_fd_length = LARGE,
                             .progress = watch,
                             .progress_argument = &w};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    if (!http_call_ok(&call, &a, &e)) fail_msg("%s", e.text);
    assert_string_equal(a.body.data, "104857600");
    assert_int_equal(w.done, LARGE);
    assert_int_equal(w.total, LARGE);
    make_file(100000);
}

static void a_file_shorter_than_told_ends_the_call(void **state) {
    (void)state;
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    struct http_call call = {
        .method = "PUT", .url = url("/count"), .body_fd = fd, .body_fd_length = 100001};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_false(http_call(&call, &a, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.text, "1 bytes too early"));
}

static void an_upload_refused_at_once_says_why(void **state) {
    (void)state;
    make_file(LARGE);
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    struct http_call call = {
        .method = "PUT", .url = url("/mirror"), .body_fd = fd, .body_fd_length = LARGE};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_false(http_call_ok(&call, &a, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    make_file(100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_carries_everything_there_and_back),
        cmocka_unit_test(every_method_works),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(problems_become_errors),
        cmocka_unit_test(statuses_without_a_problem_become_errors),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(servers_out_of_reach_are_told),
        cmocka_unit_test(what_is_no_http_url_is_refused),
        cmocka_unit_test(a_server_that_hangs_is_given_up),
        cmocka_unit_test(a_server_that_drips_is_given_up),
        cmocka_unit_test(answers_have_a_cap),
        cmocka_unit_test(calls_can_be_cancelled),
        cmocka_unit_test(answers_can_go_to_a_file),
        cmocka_unit_test(large_files_go_up_from_a_descriptor),
        cmocka_unit_test(a_file_shorter_than_told_ends_the_call),
        cmocka_unit_test(an_upload_refused_at_once_says_why),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
