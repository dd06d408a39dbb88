/* Many at once at the catalog's one door. Some tests put something between two of its steps: the
 * functions of libc that make and remove objects are defined here and run it once, on the thread
 * that asked for it. */
#include "tests/unit/master/binaries_fixture.h"

#include <stdatomic.h>
#include <sys/syscall.h>

#define NAME "storage-server-1.0.0-linux-x86_64"
#define OTHER "storage-server-1.1.0-linux-x86_64"

static void id_of(const char *file_name, struct artifact_name *out) {
    struct err error = {0};
    assert_ok(artifact_name_parse(file_name, out, &error));
}

static bool remove_binary(struct fixture *f, const char *file_name, struct err *e) {
    struct artifact_name id;
    id_of(file_name, &id);
    return catalog_delete(f->catalog, &id, "test", e);
}

static void point_stable_elsewhere(struct fixture *f) {
    struct err error = {0};
    struct channel c;
    admits(f, "storage-server-9.0.0-linux-x86_64", "nine");
    assert_ok(channels_set(f->db, "stable", "storage-server", "9.0.0", "test", &c, &error));
}

#define THREADS 8
struct racer {
    pthread_t thread;
    struct fixture *fixture;
    char words[12];
    bool admitted, created;
    enum err_code code;
};

static void *race(void *argument) {
    struct racer *r = argument;
    struct err e = {0};
    const struct offer o = {.file_name = NAME, .words = r->words};
    r->admitted = admit(r->fixture, &o, NULL, &r->created, &e);
    r->code = e.code;
    return NULL;
}

static void start_racers(struct fixture *f, struct racer racers[THREADS], bool alike) {
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = f};
        snprintf(racers[i].words, sizeof racers[i].words, "%d", alike ? 0 : i);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(racers[i].thread, NULL);
}

static void one_of_many_wins_a_name(void **state) {
    struct fixture *f = *state;
    struct racer racers[THREADS];
    int admitted = 0;
    start_racers(f, racers, false);
    for (int i = 0; i < THREADS; i++) {
        admitted += racers[i].admitted;
        if (!racers[i].admitted) assert_int_equal(racers[i].code, ERR_CONFLICT);
    }
    assert_int_equal(admitted, 1);
    assert_int_equal(events_of(f, "binary.published"), 1);
}

static void the_same_bytes_from_many_are_published_once(void **state) {
    struct fixture *f = *state;
    struct racer racers[THREADS];
    int created = 0;
    start_racers(f, racers, true);
    for (int i = 0; i < THREADS; i++) {
        assert_true(racers[i].admitted);
        created += racers[i].created;
    }
    assert_int_equal(created, 1);
}

static _Thread_local void (*before_publishing)(void);
static _Thread_local void (*before_removing)(void);
static struct fixture *between;

static void run_once(void (**what)(void), const char *path) {
    void (*now)(void) = *what;
    if (now == NULL || strstr(path, "/objects/") == NULL) return;
    *what = NULL;
    now();
}

int rename(const char *from, const char *to) {
    run_once(&before_publishing, to);
    return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path) {
    run_once(&before_removing, path);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void publish_other_bytes(void) {
    admits(between, NAME, "first");
}

static void the_name_may_be_taken_until_the_commit(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    struct staged staged;
    OWN_TEXT struct text content = TEXT_EMPTY;
    const struct offer late = {.file_name = NAME, .words = "late"};
    between = f;
    before_publishing = publish_other_bytes;
    refuses(f, &late, ERR_CONFLICT, NAME);
    assert_null(before_publishing); /* it did happen */
    assert_ok(find(f, NAME, &b, &error));
    assert_true(object_exists(f, b.sha256));
    content_script("late", &content);
    stage_bytes(f, content.data, content.length, &staged);
    assert_string_not_equal(staged.sha256, b.sha256);
    assert_false(object_exists(f, staged.sha256));
    catalog_unstage(&staged);
}

static struct {
    pthread_t thread;
    atomic_bool ended, admitted;
} crossing;

static void *publish_same_bytes(void *argument) {
    struct err e = {0};
    bool created;
    const struct offer same = {.file_name = OTHER, .words = "shared"};
    (void)argument;
    atomic_store(&crossing.admitted, admit(between, &same, NULL, &created, &e));
    atomic_store(&crossing.ended, true);
    return NULL;
}

/* Between "no row has these bytes" and their removal somebody publishes them. It must wait; there
 * is no seeing it wait, so it gets a moment to do it wrong. */
static void cross(void) {
    assert_int_equal(pthread_create(&crossing.thread, NULL, publish_same_bytes, NULL), 0);
    int64_t end_ms = clock_monotonic_ms() + 300;
    while (!atomic_load(&crossing.ended) && clock_monotonic_ms() < end_ms) sched_yield();
}

static void publishing_and_removing_the_same_bytes_never_cross(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    point_stable_elsewhere(f);
    admits(f, NAME, "shared");
    between = f;
    before_removing = cross;
    assert_ok(remove_binary(f, NAME, &error));
    assert_null(before_removing);
    pthread_join(crossing.thread, NULL);
    assert_true(crossing.admitted);
    assert_ok(find(f, OTHER, &b, &error));
    assert_true(object_exists(f, b.sha256));
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(one_of_many_wins_a_name),
        T(the_same_bytes_from_many_are_published_once),
        T(the_name_may_be_taken_until_the_commit),
        T(publishing_and_removing_the_same_bytes_never_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
