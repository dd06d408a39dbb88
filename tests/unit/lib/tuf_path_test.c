#include "lib/tuf_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *pattern;
    const char *path;
    bool matches;
};

static const struct row rows[] = {
    {"file",           "file",           true },
    {"file",           "files",          false},
    {"files",          "file",           false},
    {"",               "",               true },
    {"",               "a",              false},
    {"*",              "",               true },
    {"*",              "anything",       true },
    {"*",              "a/b",            false},
    {"*/*",            "a/b",            true },
    {"*/*",            "a/b/c",          false},
    {"a/*",            "a/",             true },
    {"a/*",            "a",              false},
    {"*.tgz",          "foo.tgz",        true },
    {"*.tgz",          "foo.tgz.txt",    false},
    {"*.tgz",          ".tgz",           true },
    {"foo-?.zip",      "foo-1.zip",      true },
    {"foo-?.zip",      "foo-.zip",       false},
    {"a?b",            "a/b",            false},
    {"releases/*/x_*", "releases/1/x_2", true },
    {"releases/*/x_*", "releases/1/y_2", false},
    {"*a*b*c",         "xaxbxbc",        true },
    {"*a*b*c",         "xaxcxb",         false},
    {"**",             "ab",             true },
    {"a*/b",           "ax/c",           false},
    {"a*c/*",          "abc/d",          true },
    {"[ab]",           "a",              false},
    {"[ab]",           "[ab]",           true },
    {"a\\*",           "a*",             false},
    {"*.doc",          "*.doc",          true },
};

static void pattern_covers_whole_paths_within_their_folders(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (tuf_path_matches(rows[i].pattern, rows[i].path) != rows[i].matches)
            fail_msg("%s against %s", rows[i].pattern, rows[i].path);
}

/* Every star that went back to all those before it would take longer than the universe has. */
static void many_stars_take_no_time(void **state) {
    (void)state;
    char pattern[201], path[4001];
    for (size_t i = 0; i < 200; i += 2) memcpy(pattern + i, "*a", 2);
    pattern[200] = '\0';
    memset(path, 'a', sizeof path - 2);
    memcpy(path + sizeof path - 2, "b", 2);
    assert_false(tuf_path_matches(pattern, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_covers_whole_paths_within_their_folders),
        cmocka_unit_test(many_stars_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
