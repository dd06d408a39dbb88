#include "cli/restore.h"

#include "lib/db_archive.h"
#include "tests/unit/cli/cmocka_headers.h"
#include "tests/unit/lib/temporary.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void only_parts_of_a_backup_have_allowed_names(void **state) {
    (void)state;
    static const char *const good[] = {"grid.db", "MANIFEST", "keys/release.key",
                                       "trusted-keys/a.pub", "objects/0123"};
    static const char *const bad[] = {
        "",         "admin.token",  "../grid.db", "/etc/passwd", "keys/",   "keys", "keys/../x",
        "keys/a/b", "keys/.hidden", "objectsx/1", "grid.db/x",   "keys/..", "lock"};
    for (size_t i = 0; i < COUNT(good); i++) assert_true(restore_name_allowed(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(restore_name_allowed(bad[i]));
}

static void reads_lines_of_sha256sum(void **state) {
    (void)state;
    char sha256[65];
    const char *name;
    char line[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  keys/a b";
    assert_true(restore_manifest_line(line, sha256, &name));
    assert_string_equal(name, "keys/a b");
    line[0] = 'x';
    assert_false(restore_manifest_line(line, sha256, &name));
    assert_false(restore_manifest_line("ba78  x", sha256, &name));
    assert_false(restore_manifest_line("", sha256, &name));
}

static void put(const char *path, const char *words) {
    struct err e = {0};
    if (!file_write_durable(path, words, strlen(words), 0600, &e)) fail_msg("%s", e.text);
}

#define ABC                                                                                        \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* SHA-256 of "abc" */

/* An archive whose files all hold "abc", named by names (NULL-terminated), with this manifest. */
static void make_archive(const char *const *names, const char *manifest) {
    OWN(db_archive) struct db_archive *a = NULL;
    struct err e = {0};
    put(TEMPORARY("abc"), "abc");
    put(TEMPORARY("manifest"), manifest);
    unlink(TEMPORARY("backup"));
    bool made = db_archive_create(&a, TEMPORARY("backup"), &e);
    for (size_t i = 0; made && names[i] != NULL; i++)
        made = db_archive_add(a, names[i], TEMPORARY("abc"), &e);
    made = made && db_archive_add(a, "MANIFEST", TEMPORARY("manifest"), &e) &&
           db_archive_finish(a, &e);
    if (!made) fail_msg("%s", e.text);
}

static const char *const whole[] = {"grid.db", "keys/release.key", "objects/1", NULL};
#define WHOLE_MANIFEST ABC "  grid.db\n" ABC "  keys/release.key\n" ABC "  objects/1\n"

static bool there(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

static void assert_nothing_came(void) {
    assert_false(there(TEMPORARY("state/grid.db")));
    assert_false(there(TEMPORARY("state/keys")));
    assert_false(there(TEMPORARY("state/restore.tmp")));
}

static void puts_everything_in_its_place(void **state) {
    (void)state;
    struct restore_result result;
    struct err e = {0};
    OWN_TEXT struct text content = TEXT_EMPTY;
    make_archive(whole, WHOLE_MANIFEST);
    if (!restore(TEMPORARY("backup"), TEMPORARY("state"), false, &result, &e))
        fail_msg("%s", e.text);
    assert_int_equal(result.files, 4);
    assert_true(file_read(TEMPORARY("state/keys/release.key"), 10, &content, &e));
    assert_string_equal(content.data, "abc");
    assert_true(there(TEMPORARY("state/grid.db")));
    assert_true(there(TEMPORARY("state/objects/1")));
    assert_false(there(TEMPORARY("state/restore.tmp")));
    struct stat status;
    assert_int_equal(stat(TEMPORARY("state/keys"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void a_check_leaves_nothing_behind(void **state) {
    (void)state;
    struct restore_result result;
    struct err e = {0};
    make_archive(whole, WHOLE_MANIFEST);
    assert_true(restore(TEMPORARY("backup"), TEMPORARY("state"), true, &result, &e));
    assert_nothing_came();
}

static void refuse(const char *words, enum err_code code) {
    struct restore_result result;
    struct err e = {0};
    assert_false(restore(TEMPORARY("backup"), TEMPORARY("state"), false, &result, &e));
    assert_int_equal(e.code, code);
    if (strstr(e.text, words) == NULL) fail_msg("\"%s\" is not in \"%s\"", words, e.text);
}

static void refuses_damage_and_strangers(void **state) {
    (void)state;
    static const char *const stranger[] = {"grid.db", "../evil", NULL};
    static const char *const extra[] = {"grid.db", "admin.token", NULL};
    static const char *const no_database[] = {"keys/release.key", NULL};
    make_archive(whole, ABC "  grid.db\n" ABC "  keys/release.key\n");
    refuse("that MANIFEST does not name", ERR_CORRUPT);
    assert_nothing_came();
    make_archive(whole, WHOLE_MANIFEST ABC "  objects/2\n");
    refuse("lacks objects/2", ERR_CORRUPT);
    assert_nothing_came();
    make_archive(whole,
                 "0000000000000000000000000000000000000000000000000000000000000000  grid.db\n");
    refuse("grid.db in the backup is damaged", ERR_CORRUPT);
    assert_nothing_came();
    make_archive(stranger, ABC "  grid.db\n" ABC "  ../evil\n");
    refuse("../evil", ERR_INVALID);
    assert_nothing_came();
    make_archive(extra, ABC "  grid.db\n");
    refuse("admin.token", ERR_INVALID);
    assert_nothing_came();
    make_archive(no_database, ABC "  keys/release.key\n");
    refuse("no database", ERR_CORRUPT);
    assert_nothing_came();
    put(TEMPORARY("backup"), "this is no archive at all");
    refuse("", ERR_INVALID);
    assert_nothing_came();
}

static void never_touches_a_state_that_is_there(void **state) {
    (void)state;
    struct err e = {0};
    OWN_TEXT struct text content = TEXT_EMPTY;
    make_archive(whole, WHOLE_MANIFEST);
    assert_true(file_make_directory(TEMPORARY("state"), 0700, &e));
    put(TEMPORARY("state/grid.db"), "mine");
    refuse("already holds the state of a master", ERR_CONFLICT);
    assert_true(file_read(TEMPORARY("state/grid.db"), 10, &content, &e));
    assert_string_equal(content.data, "mine");
}

static void mixes_no_restored_database_with_the_log_of_another(void **state) {
    (void)state;
    struct err e = {0};
    make_archive(whole, WHOLE_MANIFEST);
    assert_true(file_make_directory(TEMPORARY("state"), 0700, &e));
    put(TEMPORARY("state/grid.db-wal"), "");
    refuse("grid.db-wal", ERR_CONFLICT);
    assert_int_equal(access(TEMPORARY("state/grid.db"), F_OK), -1);
}

static void never_touches_a_state_in_use(void **state) {
    (void)state;
    struct err e = {0};
    OWN_FD int lock = -1;
    make_archive(whole, WHOLE_MANIFEST);
    assert_true(file_make_directory(TEMPORARY("state"), 0700, &e));
    assert_true(file_lock(TEMPORARY("state/lock"), "grid-master", &lock, &e));
    refuse("is in use", ERR_CONFLICT);
    assert_nothing_came();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_parts_of_a_backup_have_allowed_names),
        cmocka_unit_test(reads_lines_of_sha256sum),
        IN_TEMPORARY(puts_everything_in_its_place),
        IN_TEMPORARY(a_check_leaves_nothing_behind),
        IN_TEMPORARY(refuses_damage_and_strangers),
        IN_TEMPORARY(never_touches_a_state_that_is_there),
        IN_TEMPORARY(mixes_no_restored_database_with_the_log_of_another),
        IN_TEMPORARY(never_touches_a_state_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
