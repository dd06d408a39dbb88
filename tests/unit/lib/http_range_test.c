#include "lib/http_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ranges_follow_the_standard(void **state) {
    (void)state;
    static const struct {
        const char *range;
        int64_t size;
        int status;
        int64_t first;
        int64_t last;
    } cases[] = {
        {NULL,                                              100, 200, 0,  0 },
        {"",                                                100, 200, 0,  0 },
        {"bytes=0-0",                                       100, 206, 0,  0 },
        {"bytes=0-99",                                      100, 206, 0,  99},
        {"Bytes=5-",                                        100, 206, 5,  99},
        {"bytes=99-",                                       100, 206, 99, 99},
        {"bytes=90-1000",                                   100, 206, 90, 99},
        {"bytes=-10",                                       100, 206, 90, 99},
        {"bytes=-100",                                      100, 206, 0,  99},
        {"bytes=-101",                                      100, 206, 0,  99},
        {"bytes=-0",                                        100, 416, 0,  0 },
        {"bytes=100-",                                      100, 416, 0,  0 },
        {"bytes=0-",                                        0,   416, 0,  0 },
        {"bytes=-1",                                        0,   416, 0,  0 },
        {"bytes=99999999999999999999999999-",               100, 416, 0,  0 },
        {"bytes=9223372036854775808-",                      100, 416, 0,  0 },
        {"bytes=18446744073709551616-18446744073709551617", 100, 416, 0,  0 },
        {"bytes=0-18446744073709551615",                    100, 206, 0,  99},
        {"bytes=-99999999999999999999",                     100, 206, 0,  99},
        {"bytes=5-4",                                       100, 200, 0,  0 },
        {"bytes=0-1,3-4",                                   100, 200, 0,  0 },
        {"bytes=0-1,0-1,0-1,0-1",                           100, 200, 0,  0 },
        {"bytes=",                                          100, 200, 0,  0 },
        {"bytes=-",                                         100, 200, 0,  0 },
        {"bytes=a-b",                                       100, 200, 0,  0 },
        {"bytes=1-b",                                       100, 200, 0,  0 },
        {"bytes= 1-2",                                      100, 200, 0,  0 },
        {"bytes=+1-2",                                      100, 200, 0,  0 },
        {"bytes=1--2",                                      100, 200, 0,  0 },
        {"bytes=--1",                                       100, 200, 0,  0 },
        {"lines=0-1",                                       100, 200, 0,  0 },
        {"bytes",                                           100, 200, 0,  0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t first = 0;
        int64_t last = 0;
        int status = http_range_parse(cases[i].range, cases[i].size, &first, &last);
        bool right = status == cases[i].status;
        if (status == 206) right = right && first == cases[i].first && last == cases[i].last;
        if (!right) fail_msg("%s of %d: %d", cases[i].range, (int)cases[i].size, status);
    }
}

static void content_ranges_are_whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool taken;
        int64_t first, last, total;
    } cases[] = {
        {"bytes 0-0/1",                                               true,  0, 0,  1                 },
        {"bytes */9",                                                 true,  9, 8,  9                 },
        {"bytes */9 ",                                                false, 0, 0,  0                 },
        {"bytes */1000000000000000000",                               false, 0, 0,  0                 },
        {"bytes */",                                                  false, 0, 0,  0                 },
        {"bytes */-9",                                                false, 0, 0,  0                 },
        {"bytes 5-99/100",                                            true,  5, 99, 100               },
        {"bytes 0-1/999999999999999999",                              true,  0, 1,  999999999999999999},
        {"bytes 0-1/1000000000000000000",                             false, 0, 0,  0                 },
        {"bytes 18446744073709551616-18446744073709551617/184467440", false, 0, 0,  0                 },
        {"bytes 0-99/99",                                             false, 0, 0,  0                 },
        {"bytes 5-4/9",                                               false, 0, 0,  0                 },
        {"bytes 0-1/*",                                               false, 0, 0,  0                 },
        {"bytes 0-1/9 ",                                              false, 0, 0,  0                 },
        {"bytes  0-1/9",                                              false, 0, 0,  0                 },
        {"bytes +0-1/9",                                              false, 0, 0,  0                 },
        {"bytes -1/9",                                                false, 0, 0,  0                 },
        {"bytes 0-/9",                                                false, 0, 0,  0                 },
        {"bytes=0-1/9",                                               false, 0, 0,  0                 },
        {"bytes",                                                     false, 0, 0,  0                 },
        {"",                                                          false, 0, 0,  0                 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t first = 0, last = 0, total = 0;
        bool taken = http_content_range_parse(cases[i].text, &first, &last, &total);
        bool right = taken == cases[i].taken;
        if (taken)
            right = right && first == cases[i].first && last == cases[i].last &&
                    total == cases[i].total;
        if (!right) fail_msg("%s", cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_the_standard),
        cmocka_unit_test(content_ranges_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
