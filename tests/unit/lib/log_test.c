#include "lib/log.h"

#include "lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* stderr is a sequenced-packet socket during a test: one write is one message. */
struct capture {
    int saved_stderr;
    int messages;
};

static int begin_capture(void **state) {
    static struct capture capture;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    capture.saved_stderr = dup(STDERR_FILENO);
    capture.messages = ends[0];
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    log_setup("grid-test", LOG_INFO, LOG_FORMAT_TEXT);
    *state = &capture;
    return 0;
}

static int end_capture(void **state) {
    struct capture *capture = *state;
    dup2(capture->saved_stderr, STDERR_FILENO);
    close(capture->saved_stderr);
    close(capture->messages);
    return 0;
}

static bool take_message(const struct capture *capture, char *out, size_t size) {
    ssize_t length = recv(capture->messages, out, size - 1, MSG_DONTWAIT);
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* One message, checked for its time and end, without both. */
static const char *take_line(const struct capture *capture, char *out, size_t size) {
    assert_true(take_message(capture, out, size));
    size_t length = strlen(out);
    assert_true(length > 25 && out[length - 1] == '\n');
    out[length - 1] = '\0';
    assert_null(strchr(out, '\n'));
    assert_int_equal(out[24], ' ');
    out[24] = '\0';
    assert_true(clock_parse_rfc3339(out) > 0);
    return out + 25;
}

#define ASSERT_LINE(expected)                                                                      \
    do {                                                                                           \
        char line_[4096];                                                                          \
        assert_string_equal(take_line(*state, line_, sizeof line_), expected);                     \
    } while (0)

static void a_line_holds_level_program_event_and_fields(void **state) {
    log_info("agent.up", "id=%s address=%s:%d", "a-1", "127.0.0.1", 7002);
    ASSERT_LINE("INFO grid-test agent.up id=a-1 address=127.0.0.1:7002");
    log_warn("disk.full", "free_bytes=%lld", 0LL);
    ASSERT_LINE("WARN grid-test disk.full free_bytes=0");
    log_error("x.y", "a=%s", "b");
    ASSERT_LINE("ERROR grid-test x.y a=b");
}

static void levels_below_the_least_are_silent(void **state) {
    char line[64];
    log_debug("x", "a=%d", 1);
    assert_false(take_message(*state, line, sizeof line));
    log_setup("p", LOG_ERROR, LOG_FORMAT_TEXT);
    log_warn("x", "a=%d", 1);
    assert_false(take_message(*state, line, sizeof line));
    log_setup("p", LOG_DEBUG, LOG_FORMAT_TEXT);
    log_debug("x", "a=%d", 1);
    ASSERT_LINE("DEBUG p x a=1");
}

static void values_are_quoted_when_needed(void **state) {
    static const struct {
        const char *value;
        const char *shown;
    } cases[] = {
        {"plain",                 "plain"                       },
        {"with space",            "\"with space\""              },
        {"",                      "\"\""                        },
        {"a\"b",                  "\"a\\\"b\""                  },
        {"back\\slash",           "back\\slash"                 },
        {"back\\slash too",       "\"back\\\\slash too\""       },
        {"k=v",                   "\"k=v\""                     },
        {"two\nlines\r\n",        "\"two\\nlines\\r\\n\""       },
        {"tab\t",                 "\"tab\\t\""                  },
        {"\x1b[31mred",           "\"\\u001b[31mred\""          },
        {"\x7f",                  "\"\\u007f\""                 },
        {"caf\u00e9",             "caf\u00e9"                   },
        {"\u20ac\U0001f600",      "\u20ac\U0001f600"            },
        {"\xc2\x9b[31m",          "\"\\u009b[31m\""             },
        {"bad\xff",               "\"bad\\xff\""                },
        {"cut\xe2\x82",           "\"cut\\xe2\\x82\""           },
        {"overlong\xc0\xaf",      "\"overlong\\xc0\\xaf\""      },
        {"surrogate\xed\xa0\x80", "\"surrogate\\xed\\xa0\\x80\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        log_info("x", "before=%d value=%s after=%d", 1, cases[i].value, 2);
        char expected[256];
        snprintf(expected, sizeof expected, "INFO grid-test x before=1 value=%s after=2",
                 cases[i].shown);
        ASSERT_LINE(expected);
    }
}

/* Text that looks like a field or a whole line stays one value. */
static void values_cannot_forge_fields_or_lines(void **state) {
    log_info("login", "user=%s ok=%s", "eve ok=yes\n2026-01-31T12:00:00.000Z INFO", "no");
    ASSERT_LINE("INFO grid-test login user=\"eve ok=yes\\n2026-01-31T12:00:00.000Z INFO\" ok=no");
    log_info("login", "user=%s ok=%s", "%s%n", "no");
    ASSERT_LINE("INFO grid-test login user=%s%n ok=no");
}

static void words_between_keys_belong_to_the_value_before(void **state) {
    log_info("x", "reason=could not open %s at %d code=%d", "f", 7, 3);
    ASSERT_LINE("INFO grid-test x reason=\"could not open f at 7\" code=3");
    log_info("x", "started %d times a=%d", 4, 5);
    ASSERT_LINE("INFO grid-test x text=\"started 4 times\" a=5");
}

static void every_conversion_prints_as_printf_does(void **state) {
    log_info("x", "a=%ld b=%lld c=%zu d=%zd e=%hhd f=%hu g=%jd", -1L, INT64_C(-2) * 1LL, (size_t)3,
             (ssize_t)-4, (signed char)-5, (unsigned short)6, (intmax_t)-7);
    ASSERT_LINE("INFO grid-test x a=-1 b=-2 c=3 d=-4 e=-5 f=6 g=-7");
    log_info("x", "a=%x b=%08X c=%#lx d=%o e=%llu f=%c g=%%", 255u, 0xBEEFu, 16ul, 8u,
             18446744073709551615ull, 'c');
    ASSERT_LINE("INFO grid-test x a=ff b=0000BEEF c=0x10 d=10 e=18446744073709551615 f=c g=%");
    log_info("x", "a=%.2f b=%5.1f%% c=%-6d| d=%.*s e=%*d f=%+d", 1.005, 99.5, 7, 3, "abcdef", 4, 42,
             1);
    ASSERT_LINE("INFO grid-test x a=1.00 b=\" 99.5%\" c=\"7     |\" d=abc e=\"  42\" f=+1");
    char longest[64];
    snprintf(longest, sizeof longest, "INFO grid-test x a=%ld b=%lu", LONG_MIN, ULONG_MAX);
    log_info("x", "a=%ld b=%lu", LONG_MIN, ULONG_MAX);
    ASSERT_LINE(longest);
    char pointer[64];
    snprintf(pointer, sizeof pointer, "INFO grid-test x p=%p", (void *)state);
    log_info("x", "p=%p", (void *)state);
    ASSERT_LINE(pointer);
}

#define ASSERT_JSON(expected)                                                                      \
    do {                                                                                           \
        char line_[4096];                                                                          \
        assert_true(take_message(*state, line_, sizeof line_));                                    \
        assert_memory_equal(line_, "{\"at\":\"", 7);                                               \
        assert_string_equal(line_ + 7 + 24, "\",\"level\":" expected "\n");                        \
    } while (0)

static void json_lines_say_the_same(void **state) {
    log_setup("grid-test", LOG_INFO, LOG_FORMAT_JSON);
    log_info("agent.up", "id=%s port=%d", "a-1", 7002);
    ASSERT_JSON("\"info\",\"program\":\"grid-test\",\"event\":\"agent.up\",\"id\":\"a-1\","
                "\"port\":7002}");
    log_warn("x", "a=%s b=%s c=%d%% d=%x e=%lld f=%05d g=%u", "q\"\\\n\x01", "bad\xff\u00e9", 5,
             10u, -3LL, 7, 9u);
    ASSERT_JSON("\"warn\",\"program\":\"grid-test\",\"event\":\"x\",\"a\":\"q\\\"\\\\\\n\\u0001\","
                "\"b\":\"bad\\ufffd\u00e9\",\"c\":\"5%\",\"d\":\"a\",\"e\":-3,\"f\":\"00007\","
                "\"g\":9}");
}

static void long_values_stay_in_one_write(void **state) {
    char value[3001];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_info("x", "v=%s", value);
    char line[4096];
    take_line(*state, line, sizeof line);
    char rest[8];
    assert_false(take_message(*state, rest, sizeof rest));
}

static void logging_leaves_errno_alone(void **state) {
    errno = ENOTDIR;
    log_info("x", "a=%d", 1);
    assert_int_equal(errno, ENOTDIR);
    ASSERT_LINE("INFO grid-test x a=1");
    OWN_FD int unwritable = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(dup2(unwritable, STDERR_FILENO) >= 0);
    errno = ENOTDIR;
    log_info("x", "a=%d", 1);
    assert_int_equal(errno, ENOTDIR);
}

static void *write_lines(void *name) {
    for (int i = 0; i < 50; i++) log_info("thread", "name=%s number=%d end=yes", (char *)name, i);
    return NULL;
}

static void lines_of_threads_stay_whole(void **state) {
    pthread_t threads[3];
    char names[3][4] = {"one", "two", "six"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    int next[3] = {0};
    for (int i = 0; i < 150; i++) {
        char line[256];
        ssize_t length = recv(((struct capture *)*state)->messages, line, sizeof line - 1, 0);
        assert_true(length > 0);
        line[length] = '\0';
        char expected[128];
        int who = strstr(line, "name=one") != NULL ? 0 : strstr(line, "name=two") != NULL ? 1 : 2;
        snprintf(expected, sizeof expected, "INFO grid-test thread name=%s number=%d end=yes\n",
                 names[who], next[who]++);
        assert_string_equal(line + 25, expected);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

static void level_names_are_parsed(void **state) {
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_true(log_level_parse("warn", &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_level_parse("WARN", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("loud", &level));
    assert_int_equal(level, LOG_WARN);
}

static void words_of_the_options_configure_the_log(void **state) {
    struct err e = {0};
    assert_true(log_configure("grid-test", "warn", "json", &e));
    log_info("quiet", "a=%d", 1);
    log_warn("loud", "a=%d", 1);
    ASSERT_JSON("\"warn\",\"program\":\"grid-test\",\"event\":\"loud\",\"a\":1}");
    assert_true(log_configure("grid-test", "info", "text", &e));
    log_info("seen", "a=%d", 2);
    ASSERT_LINE("INFO grid-test seen a=2");
    assert_false(log_configure("grid-test", "loud", "json", &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.text, "debug, info, warn or error"));
    assert_false(log_configure("grid-test", "info", "xml", &e));
    assert_non_null(strstr(e.text, "text or json"));
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, begin_capture, end_capture)

int main(void) {
    const struct CMUnitTest tests[] = {
        CAPTURED(a_line_holds_level_program_event_and_fields),
        CAPTURED(levels_below_the_least_are_silent),
        CAPTURED(values_are_quoted_when_needed),
        CAPTURED(values_cannot_forge_fields_or_lines),
        CAPTURED(words_between_keys_belong_to_the_value_before),
        CAPTURED(every_conversion_prints_as_printf_does),
        CAPTURED(json_lines_say_the_same),
        CAPTURED(long_values_stay_in_one_write),
        CAPTURED(logging_leaves_errno_alone),
        CAPTURED(lines_of_threads_stay_whole),
        CAPTURED(words_of_the_options_configure_the_log),
        cmocka_unit_test(level_names_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
