/* A directory of one test's own, made before it and removed after it. */
#pragma once

#include "lib/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char temporary_directory[128];

__attribute__((unused)) static int temporary_begin(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(temporary_directory, sizeof temporary_directory, "%s/grid-test-XXXXXX",
             base != NULL ? base : "/tmp");
    return mkdtemp(temporary_directory) != NULL ? 0 : -1;
}

__attribute__((unused)) static int temporary_end(void **state) {
    (void)state;
    struct err e;
    if (!file_clear_directory(temporary_directory, &e)) fail_msg("%s", e.text);
    return rmdir(temporary_directory);
}

#define IN_TEMPORARY(test) cmocka_unit_test_setup_teardown(test, temporary_begin, temporary_end)

struct temporary_path {
    char text[512];
};

/* TEMPORARY("a/b"): that path in the directory, valid in the expression that names it. */
#define TEMPORARY(name) (temporary_path(name).text)
__attribute__((unused)) static inline struct temporary_path temporary_path(const char *name) {
    struct temporary_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", temporary_directory, name);
    return path;
}
