/* A state directory of its own, a release key, and versions signed with it, for tests of the
 * agent's room. */
#pragma once

#include "agent/state.h"
#include "agent/version.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/http_client.h"
#include "lib/secret.h"
#include "lib/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* No test may hang: whatever is waited for comes within this time, or the test fails. */
#define PATIENCE_MS 20000

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if (!(call)) fail_msg("%s: %s", #call, place.e.text);                                      \
    } while (0)

/* Fails unless the error has this code and names these words. */
#define assert_err(code_, words)                                                                   \
    do {                                                                                           \
        assert_string_equal(err_code_name(place.e.code), err_code_name(code_));                    \
        if (strstr(place.e.text, words) == NULL && strstr(place.e.hint, words) == NULL)            \
            fail_msg("\"%s\" (%s) does not name \"%s\"", place.e.text, place.e.hint, words);       \
    } while (0)

/* Waits until the condition holds; looks again and again, with a deadline. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        int64_t deadline_ms_ = clock_monotonic_ms() + PATIENCE_MS;                                 \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ms() > deadline_ms_) fail_msg("waited in vain: %s", #condition);   \
            usleep(2000);                                                                          \
        }                                                                                          \
    } while (0)

struct place {
    char directory[200];
    struct state state;
    struct sign_secret *key;
    struct err e;
};
static struct place place;

__attribute__((unused)) static int setup_place(void **unused) {
    (void)unused;
    sign_setup();
    place = (struct place){.state.lock_fd = -1};
    snprintf(place.directory, sizeof place.directory, "%s/agent-test-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(place.directory));
    char state[300];
    snprintf(state, sizeof state, "%s/state", place.directory);
    assert_ok(state_open(&place.state, state, &place.e));
    assert_ok(sign_generate(&place.key, &place.e));
    return 0;
}

__attribute__((unused)) static int teardown_place(void **unused) {
    (void)unused;
    state_close(&place.state);
    if (place.key != NULL) sign_secret_free(place.key);
    place.key = NULL;
    if (!file_clear_directory(place.directory, &place.e)) print_message("%s\n", place.e.text);
    rmdir(place.directory);
    return 0;
}

__attribute__((unused)) static const char *in_place(const char *name) {
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place.directory, name);
    return path;
}

__attribute__((unused)) static void write_file(const char *path, const void *bytes, size_t length) {
    assert_ok(file_write_durable(path, bytes, length, 0600, &place.e));
}

/* Bytes that look like an executable of this machine to the ELF check, followed by a pattern. */
__attribute__((unused)) static void make_elf(struct text *out, size_t length) {
    unsigned char head[64];
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, head, sizeof head), sizeof head);
    close(fd);
    text_add_bytes(out, head, sizeof head);
    while (out->length < length) text_add_format(out, "%zu,", out->length);
    out->length = length;
}

/* Describes the file at path as this version and signs it under its name with the place's key. */
__attribute__((unused)) static void sign_version(const char *path, const char *version,
                                                 struct version *out) {
    struct text signature = TEXT_EMPTY;
    *out = (struct version){0};
    snprintf(out->version, sizeof out->version, "%s", version);
    snprintf(out->file, sizeof out->file, "storage-server-%s-%s-%s", version, platform_here(),
             platform_arch_here());
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(sha256_file(fd, out->sha256, &out->size_bytes, &place.e));
    assert_ok(sign_file(place.key, fd, out->file, &signature, &place.e));
    out->signature = text_take(&signature);
}

/* A signed version of these many bytes; its file lies in the place under the version's file name.
 */
__attribute__((unused)) static void make_version(const char *version, size_t length,
                                                 struct version *out) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    make_elf(&bytes, length);
    text_add(&bytes, version);
    char path[700];
    snprintf(path, sizeof path, "%s/build-%s", place.directory, version);
    write_file(path, bytes.data, bytes.length);
    sign_version(path, version, out);
}
