/* What the drop box refuses, and what signatures do there. */
#include "tests/unit/master/intake_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static void a_signature_may_come_later(void **state) {
    (void)state;
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(box.fixture);
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    (void)scan(0);
    drop(NAME, "one");
    assert_true(scan(1));
    assert_false(served(NAME));
    assert_int_equal(held_files(box.fixture), 1);
    assert_int_equal(events_of(box.fixture, "binary.held"), 1);
    drop_bytes(NAME ".minisig", signature, strlen(signature));
    scan_settled();
    assert_int_equal(held_files(box.fixture), 0);
    assert_int_equal(rejected_count(), 0);
    serves(NAME, "one");
}

static void drop_and_hold(const char *words) {
    drop(NAME, words);
    scan_settled();
    assert_int_equal(held_files(box.fixture), 1);
}

static void discard(void) {
    struct err error = {0};
    assert_ok(catalog_discard(box.fixture->catalog, NAME, "test", &error));
}

/* Held for want of a signature, then given up. */
static void drop_and_discard(const char *words) {
    drop_and_hold(words);
    discard();
}

static bool count_lying(const void *count, const char *file) {
    (void)file;
    ++*(size_t *)(uintptr_t)count;
    return true;
}

static size_t discarded_files(void) {
    struct err error = {0};
    size_t count = 0;
    assert_ok(held_prune_discarded(box.fixture->db, count_lying, &count, &error));
    return count;
}

static void restart(void) {
    intake_close(box.intake);
    open_intake();
    scan_settled();
}

static void what_was_discarded_is_not_held_again_at_the_next_start(void **state) {
    (void)state;
    sign_secret_free(trust_new_publisher(box.fixture));
    drop_and_discard("one");
    restart();
    assert_int_equal(held_files(box.fixture), 0);
    assert_int_equal(events_of(box.fixture, "binary.held"), 1);
    rejects(NAME, ERR_CONFLICT, "was discarded at");
    touch_after(NAME, clock_wall_ms());
    scan_settled();
    assert_int_equal(held_files(box.fixture), 1);
    assert_int_equal(rejected_count(), 0);
}

static void other_bytes_of_a_name_that_was_discarded_are_held(void **state) {
    (void)state;
    sign_secret_free(trust_new_publisher(box.fixture));
    drop_and_hold("one");
    drop(NAME, "two"); /* before the decision, which was not about it */
    discard();
    restart();
    assert_int_equal(held_files(box.fixture), 1);
    assert_int_equal(rejected_count(), 0);
}

static void what_was_discarded_is_forgotten_once_it_left_the_drop_box(void **state) {
    (void)state;
    sign_secret_free(trust_new_publisher(box.fixture));
    drop_and_discard("one");
    assert_int_equal(discarded_files(), 1);
    (void)scan(1);
    assert_int_equal(discarded_files(), 1);
    assert_int_equal(unlink(in_box(NAME)), 0);
    restart();
    assert_int_equal(discarded_files(), 0);
}

static void a_signature_that_comes_first_waits(void **state) {
    (void)state;
    struct err error = {0};
    struct binary b;
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(box.fixture);
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    (void)scan(0);
    drop_bytes(NAME ".minisig", signature, strlen(signature));
    assert_false(scan(2000));
    assert_int_equal(rejected_count(), 0);
    drop(NAME, "one");
    assert_true(scan(1));
    assert_ok(find(box.fixture, NAME, &b, &error));
    assert_true(b.publisher_signed);
}

static void a_renamed_file_with_its_signature_is_refused(void **state) {
    (void)state;
    static const char later[] = "storage-server-1.1.0-linux-x86_64";
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(box.fixture);
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    drop("storage-server-1.1.0-linux-x86_64.minisig", "");
    drop_bytes("storage-server-1.1.0-linux-x86_64.minisig", signature, strlen(signature));
    drop(later, "one");
    scan_settled();
    rejects(later, ERR_UNTRUSTED, NAME);
    assert_false(served(later));
}

static void trusting_a_key_lets_its_drops_in(void **state) {
    (void)state;
    struct err error = {0};
    trust_somebody(box.fixture);
    OWN(sign_secret) struct sign_secret *key = NULL;
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    assert_ok(sign_generate(&key, &error));
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    drop_bytes(NAME ".minisig", signature, strlen(signature));
    drop(NAME, "one");
    scan_settled();
    rejects(NAME, ERR_UNTRUSTED, "not trusted");
    assert_false(scan(60000));
    assert_ok(keys_trust(box.fixture->keys, sign_secret_public(key), &error));
    assert_true(scan(1));
    assert_int_equal(rejected_count(), 0);
}

static void a_signature_that_is_no_file_is_refused(void **state) {
    (void)state;
    trust_somebody(box.fixture);
    drop(NAME, "one");
    assert_int_equal(symlink("/etc/hostname", in_box(NAME ".minisig")), 0);
    scan_settled();
    rejects(NAME, ERR_INVALID, "symbolic link");
}

static void make_symlink(const char *path) {
    drop(".real", "real");
    assert_int_equal(symlink(".real", path), 0);
}
static void make_escape(const char *path) {
    assert_int_equal(symlink("/etc/passwd", path), 0);
}
static void make_hard_link(const char *path) {
    drop(".real", "real");
    assert_int_equal(link(in_box(".real"), path), 0);
}
static void make_fifo(const char *path) {
    assert_int_equal(mkfifo(path, 0644), 0);
}
static void make_directory(const char *path) {
    assert_int_equal(mkdir(path, 0755), 0);
}
static void make_socket(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here)); /* a socket's path is short */
    assert_int_equal(chdir(box.directory), 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", strrchr(path, '/') + 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(chdir(here), 0);
}
static void make_device(const char *path) {
    if (mknod(path, S_IFCHR | 0600, makedev(1, 5)) != 0) assert_int_equal(errno, EPERM);
}
static void make_setuid(const char *path) {
    drop(strrchr(path, '/') + 1, "one");
    assert_int_equal(chmod(path, 04755), 0);
}
static void make_empty(const char *path) {
    drop_bytes(strrchr(path, '/') + 1, "", 0);
}
static void make_sparse(const char *path) {
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(pwrite(fd, "#!", 2, 0), 2);
    assert_int_equal(ftruncate(fd, (INT64_C(4) << 30) + 1), 0);
}
static void make_elf_of_arm(const char *path) {
    OWN_TEXT struct text elf = TEXT_EMPTY;
    content_elf(EM_AARCH64, &elf);
    drop_bytes(strrchr(path, '/') + 1, elf.data, elf.length);
}
static void make_cut_elf(const char *path) {
    drop_bytes(strrchr(path, '/') + 1, "\177ELF\2\1\1", 7);
}
static void make_script(const char *path) {
    drop(strrchr(path, '/') + 1, "one");
}

static const struct hostile {
    const char *name;
    void (*make)(const char *path);
    enum err_code code;
    const char *words;
    const char *shown; /* NULL: as the name */
} hostile[] = {
    {NAME,                                    make_symlink,    ERR_INVALID,   "symbolic link",    NULL                       },
    {NAME,                                    make_escape,     ERR_INVALID,   "symbolic link",    NULL                       },
    {NAME,                                    make_hard_link,  ERR_INVALID,   "hard link",        NULL                       },
    {NAME,                                    make_fifo,       ERR_INVALID,   "FIFO",             NULL                       },
    {NAME,                                    make_directory,  ERR_INVALID,   "directory",        NULL                       },
    {NAME,                                    make_socket,     ERR_INVALID,   "socket",           NULL                       },
    {NAME,                                    make_setuid,     ERR_INVALID,   "set-user-ID",      NULL                       },
    {NAME,                                    make_empty,      ERR_INVALID,   "empty",            NULL                       },
    {NAME,                                    make_sparse,     ERR_TOO_LARGE, "at most",          NULL                       },
    {NAME,                                    make_elf_of_arm, ERR_UNTRUSTED, "for aarch64",      NULL                       },
    {NAME,                                    make_cut_elf,    ERR_UNTRUSTED, "cut",              NULL                       },
    {"storage-server-1.0-linux-x86_64",       make_script,     ERR_INVALID,   "1.0",              NULL                       },
    {"storage-server-v1.0.0-linux-x86_64",    make_script,     ERR_INVALID,   "without v",        NULL                       },
    {"storage-server-1.0.0-linux-amd64",      make_script,     ERR_INVALID,   "x86_64",           NULL                       },
    {"storage-server-1.0.0-linux-x86_64.exe", make_script,     ERR_INVALID,   "architecture",     NULL                       },
    {"Storage-server-1.0.0-linux-x86_64",     make_script,     ERR_INVALID,   "name",             NULL                       },
    {"words",                                 make_script,     ERR_INVALID,   "{name}-{version}", NULL                       },
    {"-rf",                                   make_script,     ERR_INVALID,   "-rf",              NULL                       },
    {"a\nb-1.0.0-linux-x86_64",               make_script,     ERR_INVALID,   "name",             "a?b-1.0.0-linux-x86_64"   },
    {"a\033[31m-1.0.0-linux-x86_64",          make_script,     ERR_INVALID,   "name",             "a?[31m-1.0.0-linux-x86_64"},
    {"\342\200\256a-1.0.0-linux-x86_64",      make_script,     ERR_INVALID,   "name",
     "???a-1.0.0-linux-x86_64"                                                                                               },
    {"\xff-1.0.0-linux-x86_64",               make_script,     ERR_INVALID,   "name",             "?-1.0.0-linux-x86_64"     },
};

static void hostile_files_are_refused_with_the_reason(void **state) {
    (void)state;
    (void)scan(0);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        const struct hostile *h = &hostile[i];
        h->make(strdupa(in_box(h->name)));
        scan_settled();
        rejects(h->shown != NULL ? h->shown : h->name, h->code, h->words);
        assert_int_equal(events_of(box.fixture, "binary.rejected"), i + 1);
        assert_int_equal(events_of(box.fixture, "binary.published"), 0);
        if (unlink(in_box(h->name)) != 0) assert_int_equal(rmdir(in_box(h->name)), 0);
        (void)unlink(in_box(".real"));
        (void)scan(1);
        assert_int_equal(rejected_count(), 0);
    }
}

static void a_device_is_refused(void **state) {
    (void)state;
    make_device(in_box(NAME));
    if (access(in_box(NAME), F_OK) != 0) skip(); /* only root makes devices */
    scan_settled();
    rejects(NAME, ERR_INVALID, "device");
}

static void a_name_of_255_bytes_is_refused(void **state) {
    (void)state;
    char name[256];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    drop(name, "one");
    scan_settled();
    rejects(name, ERR_INVALID, "longer than");
}

static void an_unreadable_file_is_refused_until_it_can_be_read(void **state) {
    (void)state;
    if (geteuid() == 0) skip(); /* root reads everything */
    drop(NAME, "one");
    assert_int_equal(chmod(in_box(NAME), 0), 0);
    scan_settled();
    rejects(NAME, ERR_DENIED, NAME);
    assert_int_equal(chmod(in_box(NAME), 0644), 0);
    scan_settled();
    serves(NAME, "one");
}

static void work_in_progress_is_passed_over(void **state) {
    (void)state;
    static const char *const names[] = {(NAME ".part"), (NAME ".tmp"), (NAME "~"), ("." NAME),
                                        "README.md",    "README",      "x.minisig"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) drop(names[i], "one");
    scan_settled();
    assert_int_equal(rejected_count(), 0);
    assert_int_equal(events_of(box.fixture, "binary.rejected"), 0);
    assert_int_equal(events_of(box.fixture, "binary.published"), 0);
}

static void a_rejection_is_told_once_and_kept_while_the_file_is(void **state) {
    (void)state;
    drop("words", "one");
    scan_settled();
    (void)scan(100000);
    assert_int_equal(rejected_count(), 1);
    assert_int_equal(events_of(box.fixture, "binary.rejected"), 1);
    drop("words", "two"); /* it changed: judged and told again */
    (void)scan(2000);
    assert_int_equal(rejected_count(), 1);
    assert_int_equal(unlink(in_box("words")), 0);
    (void)scan(1);
    assert_int_equal(rejected_count(), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_signature_may_come_later),
        T(what_was_discarded_is_not_held_again_at_the_next_start),
        T(other_bytes_of_a_name_that_was_discarded_are_held),
        T(what_was_discarded_is_forgotten_once_it_left_the_drop_box),
        T(a_signature_that_comes_first_waits),
        T(a_renamed_file_with_its_signature_is_refused),
        T(trusting_a_key_lets_its_drops_in),
        T(a_signature_that_is_no_file_is_refused),
        T(hostile_files_are_refused_with_the_reason),
        T(a_device_is_refused),
        T(a_name_of_255_bytes_is_refused),
        T(an_unreadable_file_is_refused_until_it_can_be_read),
        T(work_in_progress_is_passed_over),
        T(a_rejection_is_told_once_and_kept_while_the_file_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
