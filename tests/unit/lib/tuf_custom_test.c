#include "lib/tuf_custom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct tuf_custom full = {
    .id = {.name = "storage-server", .version = "1.1.0", .platform = "linux", .arch = "x86_64"},
    .release = 7,
    .floor = "1.0.0",
    .yanked = true
};

static void is_written_in_canonical_order(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY, plain = TEXT_EMPTY;
    struct tuf_custom bare = full;
    bare.floor[0] = '\0';
    bare.yanked = false;
    tuf_custom_write(&full, &out);
    assert_string_equal(
        text_value(&out),
        "{\"arch\":\"x86_64\",\"floor\":\"1.0.0\",\"name\":\"storage-server\",\"platform\":"
        "\"linux\",\"release\":7,\"version\":\"1.1.0\",\"yanked\":true}");
    tuf_custom_write(&bare, &plain);
    assert_null(strstr(text_value(&plain), "floor"));
    assert_null(strstr(text_value(&plain), "yanked"));
}

static void reads_what_it_wrote_and_ignores_what_it_does_not_know(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY, longer = TEXT_EMPTY;
    struct tuf_custom read;
    struct err e = {0};
    tuf_custom_write(&full, &out);
    text_add_format(&longer, "{\"pieces\":[1,2],%s", text_value(&out) + 1);
    assert_true(tuf_custom_parse(text_value(&longer), &read, &e));
    assert_string_equal(read.id.version, "1.1.0");
    assert_string_equal(read.floor, "1.0.0");
    assert_int_equal(read.release, 7);
    assert_true(read.yanked);
}

static void says_which_member_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *names;
    } bad[] = {
        {"{\"arch\":\"x86_64\",\"name\":\"s\",\"platform\":\"linux\",\"release\":1}", "version"},
        {"{\"arch\":\"vax\",\"name\":\"s\",\"platform\":\"linux\",\"release\":1,"
         "\"version\":\"1.0.0\"}",                                           "vax"    },
        {"{\"arch\":\"any\",\"name\":\"s\",\"platform\":\"linux\",\"release\":0,"
         "\"version\":\"1.0.0\"}",                                           "release"},
        {"{\"arch\":\"any\",\"name\":\"s\",\"platform\":\"linux\",\"release\":1,"
         "\"version\":\"1.0.0\",\"floor\":\"one\"}",                         "floor"  },
        {"{\"arch\":\"any\",\"name\":\"../s\",\"platform\":\"linux\",\"release\":1,"
         "\"version\":\"1.0.0\"}",                                           "../s"   },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tuf_custom read;
        struct err e = {0};
        assert_false(tuf_custom_parse(bad[i].json, &read, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.text, bad[i].names));
    }
}

static void the_highest_floor_of_an_artifact_counts(void **state) {
    (void)state;
    static const struct tuf_custom said[] = {
        {.id = {.name = "a"}, .floor = "1.9.0" },
        {.id = {.name = "a"}, .floor = "1.10.0"},
        {.id = {.name = "a"}, .floor = ""      },
        {.id = {.name = "b"}, .floor = "3.0.0" },
        {.id = {.name = "a"}, .floor = "1.2.0" },
    };
    char floor[SEMVER_SIZE] = "";
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        tuf_custom_raise_floor(&said[i], "a", floor);
    assert_string_equal(floor, "1.10.0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_in_canonical_order),
        cmocka_unit_test(reads_what_it_wrote_and_ignores_what_it_does_not_know),
        cmocka_unit_test(says_which_member_is_wrong),
        cmocka_unit_test(the_highest_floor_of_an_artifact_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
