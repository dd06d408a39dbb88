#include "master/intake.h"

#include "tests/unit/master/binaries_fixture.h"

#include <elf.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define NAME "storage-server-1.0.0-linux-x86_64"

/* Something that happens once while this thread reads a file. */
static _Thread_local void (*during_read)(void);

ssize_t read(int fd, void *out, size_t size) {
    ssize_t length = syscall(SYS_read, fd, out, size);
    void (*now)(void) = during_read;
    if (now != NULL && length > 2 && memcmp(out, "#!", 2) == 0) {
        during_read = NULL;
        now();
    }
    return length;
}

struct box {
    struct fixture *fixture;
    struct intake *intake;
    char directory[PATH_MAX];
    int64_t now_ms;
};
static struct box box;

static const char *in_box(const char *name) {
    static char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", box.directory, name) >= (int)sizeof path)
        fail_msg("%s: too long", name);
    return path;
}

static void open_intake(void) {
    struct err error = {0};
    assert_ok(intake_open(&box.intake, box.directory, box.fixture->catalog, box.fixture->agents,
                          box.fixture->events, 60000, &error));
}

static int setup(void **state) {
    struct err error = {0};
    if (fixture_setup(state) != 0) return -1;
    box = (struct box){.fixture = *state, .now_ms = 100000};
    assert_ok(
        file_join(box.directory, sizeof box.directory, box.fixture->state, "binaries", &error));
    open_intake();
    return 0;
}

static int teardown(void **state) {
    intake_close(box.intake);
    return fixture_teardown(state);
}

/* --- dropping --- */

/* Writes and closes: a hint follows once the directory is watched. */
static void drop_bytes(const char *name, const void *bytes, size_t length) {
    OWN_FD int fd = open(in_box(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

static void drop(const char *name, const char *words) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script(words, &content);
    drop_bytes(name, content.data, content.length);
}

static void set_age_s(const char *name, int64_t age_s) {
    time_t at = (time_t)(clock_wall_ms() / 1000 - age_s);
    const struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    assert_int_equal(utimensat(AT_FDCWD, in_box(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Touches the file until its file system, whose clock is a coarse one, says that it was later. */
static void touch_after(const char *name, int64_t wall_ms) {
    struct stat status = {0};
    while (status.st_ctim.tv_sec * 1000 + status.st_ctim.tv_nsec / 1000000 <= wall_ms) {
        set_age_s(name, 10);
        assert_int_equal(stat(in_box(name), &status), 0);
    }
}

static bool scan(int64_t later_ms) {
    box.now_ms += later_ms;
    return intake_scan(box.intake, box.now_ms);
}

/* Looks until everything that lies there is settled. */
static void scan_settled(void) {
    (void)scan(0);
    (void)scan(2000);
}

/* --- what came of it --- */

static bool served(const char *file_name) {
    struct binary b;
    struct err e = {0};
    return find(box.fixture, file_name, &b, &e);
}

static void serves(const char *file_name, const char *words) {
    struct err error = {0};
    struct binary b;
    char path[PATH_MAX];
    OWN_TEXT struct text expected = TEXT_EMPTY;
    OWN_TEXT struct text content = TEXT_EMPTY;
    assert_ok(find(box.fixture, file_name, &b, &error));
    catalog_object_path(box.fixture->catalog, b.sha256, path);
    content_script(words, &expected);
    assert_ok(file_read(path, 100000, &content, &error));
    assert_string_equal(content.data, expected.data);
}

static size_t rejected_count(void) {
    OWN_MEMORY struct rejected *list = NULL;
    size_t count = 0;
    intake_rejected(box.intake, &list, &count);
    return count;
}

static void rejects(const char *file, enum err_code code, const char *words) {
    OWN_MEMORY struct rejected *list = NULL;
    size_t count = 0;
    intake_rejected(box.intake, &list, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].file, file) != 0) continue;
        if (strstr(list[i].reason, words) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", file, list[i].reason, words);
        assert_string_equal(list[i].code, err_code_name(code));
        assert_true(list[i].seen_at_ms > 0);
        return;
    }
    fail_msg("%s was not rejected, %zu others were", file, count);
}

/* --- taken when nobody writes it any more --- */

static void a_file_of_before_is_taken_at_the_first_look(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_false(intake_scanned_once(box.intake));
    assert_true(scan(0));
    assert_true(intake_scanned_once(box.intake));
    serves(NAME, "one");
}

static void a_fresh_file_is_looked_at_twice(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, -3600); /* however slow this machine is: not old */
    assert_false(scan(0));
    assert_false(scan(999));
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_hint_spares_the_second_look(void **state) {
    (void)state;
    (void)scan(0);
    drop(NAME, "one");
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_file_moved_here_is_taken_at_once(void **state) {
    (void)state;
    (void)scan(0);
    drop(".incoming", "one");
    assert_false(scan(1));
    assert_int_equal(rename(in_box(".incoming"), strdupa(in_box(NAME))), 0);
    assert_true(scan(1));
    serves(NAME, "one");
}

/* A file without a hint: nobody closes it under this name, nor is it moved. */
static void link_in(const char *name, const char *words) {
    char unnamed[32];
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script(words, &content);
    int writer = open(box.directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(writer >= 0);
    assert_int_equal(write(writer, content.data, content.length), (ssize_t)content.length);
    snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", writer);
    OWN_FD int reader = open(unnamed, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    close(writer);
    snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", reader);
    assert_int_equal(linkat(AT_FDCWD, unnamed, AT_FDCWD, in_box(name), AT_SYMLINK_FOLLOW), 0);
}

static void an_old_date_is_no_reason_to_hurry_later_on(void **state) {
    (void)state;
    (void)scan(0);
    link_in(NAME, "one");
    set_age_s(NAME, 3600);
    assert_false(scan(1));
    assert_false(scan(999));
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_growing_file_waits_for_its_writer(void **state) {
    (void)state;
    (void)scan(0);
    int fd = open(in_box(NAME), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
    assert_false(scan(10));
    assert_false(scan(5000)); /* a stalled copy */
    assert_int_equal(write(fd, "echo one\n", 9), 9);
    assert_false(scan(5000));
    assert_false(scan(5000));
    assert_int_equal(rejected_count(), 0);
    close(fd);
    assert_true(scan(10));
    serves(NAME, "one");
}

static void a_writer_that_never_closes_is_not_waited_for_for_ever(void **state) {
    (void)state;
    (void)scan(0);
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "#!/bin/sh\necho one\n", 19), 19);
    assert_false(scan(10));
    assert_false(scan(30000));
    assert_true(scan(31000));
    serves(NAME, "one");
}

static void an_empty_file_may_be_filled_yet(void **state) {
    (void)state;
    (void)scan(0);
    drop_bytes(NAME, "", 0);
    assert_false(scan(10));
    assert_int_equal(rejected_count(), 0);
    drop(NAME, "one");
    assert_true(scan(10));
    assert_int_equal(rejected_count(), 0);
}

static void append(void) {
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "echo two\n", 9), 9);
}

static void overwrite_in_place(void) {
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "ONE", 3, 15), 3);
}

static void replace(void) {
    drop(".other", "two");
    assert_int_equal(rename(in_box(".other"), strdupa(in_box(NAME))), 0);
}

static void remove_it(void) {
    assert_int_equal(unlink(in_box(NAME)), 0);
}

static void changed_while_copied(void (*change)(void), const char *words) {
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    during_read = change;
    assert_false(scan(0));
    assert_null(during_read); /* it did happen */
    assert_false(served(NAME));
    assert_int_equal(rejected_count(), 0);
    scan_settled();
    if (words != NULL)
        serves(NAME, words);
    else
        assert_false(served(NAME));
}

static void a_copy_of_what_grew_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(append, "one\necho two");
}

static void a_copy_of_what_was_overwritten_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(overwrite_in_place, "ONE");
}

static void a_copy_of_what_was_replaced_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(replace, "two");
}

static void a_copy_of_what_was_removed_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(remove_it, NULL);
}

/* --- what is served never changes --- */

static void replacing_a_file_changes_nothing_that_is_served(void **state) {
    (void)state;
    struct binary first, second;
    struct err error = {0};
    bool created;
    const struct offer elsewhere = {.file_name = "copy-1.0.0-any-any", .words = "two"};
    (void)scan(0);
    drop(NAME, "one");
    assert_true(scan(1));
    assert_ok(find(box.fixture, NAME, &first, &error));
    assert_ok(admit(box.fixture, &elsewhere, &second, &created, &error));
    drop(NAME, "two");
    assert_false(scan(1));
    rejects(NAME, ERR_CONFLICT, first.sha256);
    rejects(NAME, ERR_CONFLICT, second.sha256);
    serves(NAME, "one");
    remove_it();
    assert_false(scan(1));
    assert_int_equal(rejected_count(), 0);
    serves(NAME, "one");
}

static void a_restart_takes_what_lies_there_as_it_is(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_true(scan(0));
    intake_close(box.intake);
    open_intake();
    assert_false(scan(0));
    assert_int_equal(rejected_count(), 0);
    assert_int_equal(events_of(box.fixture, "binary.published"), 1);
}

static void a_deleted_binary_stays_deleted_until_dropped_anew(void **state) {
    (void)state;
    struct err error = {0};
    struct artifact_name id;
    drop("storage-server-2.0.0-linux-x86_64", "two"); /* stable adopts it */
    drop(NAME, "one");
    scan_settled();
    assert_ok(artifact_name_parse(NAME, &id, &error));
    assert_ok(catalog_delete(box.fixture->catalog, &id, "test", &error));
    intake_close(box.intake);
    open_intake();
    scan_settled();
    assert_false(served(NAME));
    rejects(NAME, ERR_CONFLICT, "was deleted at");
    touch_after(NAME, clock_wall_ms());
    scan_settled();
    serves(NAME, "one");
}

static void a_lost_object_comes_back_from_the_drop_box(void **state) {
    (void)state;
    struct err error = {0};
    struct binary b;
    char path[PATH_MAX];
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_true(scan(0));
    assert_ok(find(box.fixture, NAME, &b, &error));
    catalog_object_path(box.fixture->catalog, b.sha256, path);
    assert_int_equal(unlink(path), 0);
    intake_close(box.intake);
    open_intake();
    (void)scan(0);
    serves(NAME, "one");
}

/* --- the order --- */

static void stable_adopts_the_newest_release_of_a_first_drop(void **state) {
    (void)state;
    struct err error = {0};
    OWN_MEMORY struct channel *channels = NULL;
    size_t count = 0;
    static const char *const names[] = {
        "storage-server-1.9.0-linux-x86_64", "storage-server-1.10.0-linux-x86_64",
        "storage-server-2.0.0-rc.1-linux-x86_64", "storage-server-1.2.0-linux-x86_64"};
    for (size_t i = 0; i < 4; i++) {
        drop(names[i], names[i]);
        set_age_s(names[i], 3600);
    }
    assert_true(scan(0));
    assert_ok(channels_list(box.fixture->db, &channels, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(channels[0].version, "1.10.0");
}

/* --- signatures --- */

static void a_signature_may_come_later(void **state) {
    (void)state;
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(box.fixture);
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    (void)scan(0);
    drop(NAME, "one");
    assert_false(scan(1));
    rejects(NAME, ERR_UNTRUSTED, "lacks the signature");
    assert_int_equal(events_of(box.fixture, "binary.rejected"), 1);
    drop_bytes(NAME ".minisig", signature, strlen(signature));
    scan_settled();
    assert_int_equal(rejected_count(), 0);
    serves(NAME, "one");
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
    OWN(sign_secret) struct sign_secret *other = trust_new_publisher(box.fixture);
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
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(box.fixture);
    drop(NAME, "one");
    assert_int_equal(symlink("/etc/hostname", in_box(NAME ".minisig")), 0);
    scan_settled();
    rejects(NAME, ERR_INVALID, "symbolic link");
}

/* --- what is refused --- */

static void make_symlink(const char *path) {
    drop(".real", "real");
    assert_int_equal(symlink(".real", path), 0);
}
static void make_escape(const char *path) {
    assert_int_equal(symlink("/etc/passwd", path), 0);
}
static void make_hard_link(const char *path) {
    drop(".real", "real");
    char *target = strdupa(path);
    assert_int_equal(link(in_box(".real"), target), 0);
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
    {"\xe2\x80\xae"
     "a-1.0.0-linux-x86_64",             make_script,     ERR_INVALID,   "name",             "???a-1.0.0-linux-x86_64"  },
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
    static const char *const names[] = {NAME ".part", NAME ".tmp", NAME "~",   "." NAME,
                                        "README.md",  "README",    "x.minisig"};
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

/* --- the directory --- */

static void a_directory_that_goes_away_may_come_back(void **state) {
    (void)state;
    (void)scan(0);
    assert_int_equal(rmdir(box.directory), 0);
    assert_false(scan(1));
    assert_int_equal(mkdir(box.directory, 0755), 0);
    assert_false(scan(1)); /* watched again */
    drop(NAME, "one");
    assert_true(scan(1));
}

/* --- the thread --- */

static void the_thread_takes_what_is_dropped_and_stops(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, intake_run, box.intake), 0);
    int64_t end_ms = clock_monotonic_ms() + 20000;
    while (!intake_scanned_once(box.intake) && clock_monotonic_ms() < end_ms) sched_yield();
    drop(NAME, "one");
    while (!served(NAME) && clock_monotonic_ms() < end_ms) sched_yield();
    intake_stop(box.intake);
    pthread_join(thread, NULL);
    serves(NAME, "one");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_file_of_before_is_taken_at_the_first_look),
        T(a_fresh_file_is_looked_at_twice),
        T(a_hint_spares_the_second_look),
        T(a_file_moved_here_is_taken_at_once),
        T(an_old_date_is_no_reason_to_hurry_later_on),
        T(a_growing_file_waits_for_its_writer),
        T(a_writer_that_never_closes_is_not_waited_for_for_ever),
        T(an_empty_file_may_be_filled_yet),
        T(a_copy_of_what_grew_is_thrown_away),
        T(a_copy_of_what_was_overwritten_is_thrown_away),
        T(a_copy_of_what_was_replaced_is_thrown_away),
        T(a_copy_of_what_was_removed_is_thrown_away),
        T(replacing_a_file_changes_nothing_that_is_served),
        T(a_restart_takes_what_lies_there_as_it_is),
        T(a_deleted_binary_stays_deleted_until_dropped_anew),
        T(a_lost_object_comes_back_from_the_drop_box),
        T(stable_adopts_the_newest_release_of_a_first_drop),
        T(a_signature_may_come_later),
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
        T(a_directory_that_goes_away_may_come_back),
        T(the_thread_takes_what_is_dropped_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
