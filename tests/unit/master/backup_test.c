#include "master/backup.h"

#include "lib/db_archive.h"
#include "tests/unit/master/binaries_fixture.h"

#define NAME "storage-server-1.0.0-linux-x86_64"

struct paths {
    char scratch[PATH_MAX], archive[PATH_MAX], restored[PATH_MAX];
};

static void make_paths(struct fixture *f, struct paths *out) {
    struct err error = {0};
    assert_ok(file_join(out->scratch, sizeof out->scratch, f->state, "scratch", &error));
    assert_ok(file_join(out->archive, sizeof out->archive, f->state, "archive", &error));
    assert_ok(file_join(out->restored, sizeof out->restored, f->state, "restored", &error));
    assert_ok(file_make_directory(out->scratch, 0700, &error));
    assert_ok(file_make_directory(out->restored, 0700, &error));
}

static bool back_up(struct fixture *f, const struct paths *p, struct err *e) {
    return backup_create(f->db, f->catalog, f->state, p->scratch, p->archive, e);
}

struct extraction {
    struct db_archive *archive;
    const char *directory;
    char names[4096];
};

/* Entries below directories are restored under a name with '_' for '/'. */
static bool extract(const char *name, mode_t mode, int64_t size_bytes, void *argument,
                    struct err *e) {
    struct extraction *x = argument;
    char flat[256], path[PATH_MAX];
    (void)mode, (void)size_bytes;
    snprintf(flat, sizeof flat, "%s", name);
    for (char *c = flat; *c != '\0'; c++)
        if (*c == '/') *c = '_';
    size_t used = strlen(x->names);
    snprintf(x->names + used, sizeof x->names - used, "%s ", name);
    return file_join(path, sizeof path, x->directory, flat, e) &&
           db_archive_extract(x->archive, name, path, e);
}

static void restore(const struct paths *p, struct extraction *x) {
    struct err error = {0};
    *x = (struct extraction){.directory = p->restored};
    assert_ok(db_archive_open(&x->archive, p->archive, &error));
    assert_ok(db_archive_list(x->archive, extract, x, &error));
    db_archive_close(x->archive);
}

/* Each line of the manifest against the file it names. */
static size_t check_manifest(const struct paths *p) {
    struct err error = {0};
    char path[PATH_MAX], sha256[SHA256_HEX_SIZE];
    OWN_TEXT struct text manifest = TEXT_EMPTY;
    size_t lines = 0;
    int64_t size = 0;
    assert_ok(file_join(path, sizeof path, p->restored, "MANIFEST", &error));
    assert_ok(file_read(path, 100000, &manifest, &error));
    char *cursor = NULL;
    for (char *line = strtok_r(manifest.data, "\n", &cursor); line != NULL;
         line = strtok_r(NULL, "\n", &cursor), lines++) {
        assert_int_equal(line[64], ' ');
        assert_int_equal(line[65], ' ');
        for (char *c = line + 66; *c != '\0'; c++)
            if (*c == '/') *c = '_';
        assert_ok(file_join(path, sizeof path, p->restored, line + 66, &error));
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_ok(sha256_file(fd, sha256, &size, &error));
        assert_memory_equal(sha256, line, 64);
    }
    return lines;
}

static void a_backup_holds_all_and_says_what(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct paths p;
    struct extraction x;
    struct binary b;
    char object[128];
    make_paths(f, &p);
    admits(f, NAME, "one");
    trust_somebody(f);
    assert_ok(find(f, NAME, &b, &error));
    assert_ok(back_up(f, &p, &error));
    restore(&p, &x);
    snprintf(object, sizeof object, "objects/%s ", b.sha256);
    assert_non_null(strstr(x.names, object));
    assert_non_null(strstr(x.names, "grid.db "));
    assert_non_null(strstr(x.names, "keys/master.key "));
    assert_non_null(strstr(x.names, "keys/release.key "));
    assert_non_null(strstr(x.names, "keys/root.key "));
    assert_non_null(strstr(x.names, ".pub "));
    assert_int_equal(check_manifest(&p), 5 + TUF_ROLE_COUNT);
    assert_false(exists(p.scratch, "grid.db"));
}

static void its_database_is_of_that_moment(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct paths p;
    struct extraction x;
    struct db *restored = NULL;
    OWN_MEMORY struct channel *channels = NULL;
    size_t count = 0;
    make_paths(f, &p);
    admits(f, NAME, "one");
    assert_ok(back_up(f, &p, &error));
    restore(&p, &x);
    assert_ok(store_open(&restored, p.restored, &error));
    assert_ok(channels_list(restored, &channels, &count, &error));
    db_close(restored);
    assert_int_equal(count, 1);
    assert_string_equal(channels[0].version, "1.0.0");
}

static void a_damaged_object_is_named(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct paths p;
    struct binary b;
    char path[PATH_MAX];
    make_paths(f, &p);
    admits(f, NAME, "one");
    assert_ok(find(f, NAME, &b, &error));
    catalog_object_path(f->catalog, b.sha256, path);
    assert_ok(file_write_durable(path, "#!/bin/sh\necho two\n", 19, 0444, &error));
    assert_false(back_up(f, &p, &error));
    assert_int_equal(error.code, ERR_CORRUPT);
    assert_non_null(strstr(error.text, b.sha256));
    assert_int_equal(access(p.archive, F_OK), -1);
}

static void an_archive_that_is_there_is_kept(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct paths p;
    make_paths(f, &p);
    assert_ok(back_up(f, &p, &error));
    assert_false(back_up(f, &p, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_int_equal(unlink(p.archive), 0);
    assert_ok(back_up(f, &p, &error)); /* the failure left nothing in the way */
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_backup_holds_all_and_says_what),
        T(its_database_is_of_that_moment),
        T(a_damaged_object_is_named),
        T(an_archive_that_is_there_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
