/* Group commit, its failures and its durability. The functions of libc that SQLite flushes, writes
 * and sleeps with are defined here, so that they can be counted and made to fail. */
#include "tests/unit/lib/db_fixture.h"

#include "lib/clock.h"
#include "lib/metrics.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREADS 16
#define DEADLINE_MS 20000

static atomic_int flushes;
static atomic_int flush_error; /* errno of every flush while it is not 0 */
static atomic_int write_error;
static atomic_int sleeps;

int fdatasync(int fd) {
    atomic_fetch_add(&flushes, 1);
    if (flush_error != 0) {
        errno = flush_error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    return fdatasync(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (write_error != 0) {
        errno = write_error;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

int nanosleep(const struct timespec *time, struct timespec *rest) {
    atomic_fetch_add(&sleeps, 1);
    return (int)syscall(SYS_nanosleep, time, rest);
}

int usleep(useconds_t microseconds) {
    return nanosleep(&(struct timespec){.tv_sec = microseconds / 1000000,
                                        .tv_nsec = microseconds % 1000000 * 1000},
                     NULL);
}

static int64_t deadline(void) {
    return clock_monotonic_ms() + DEADLINE_MS;
}

static void await_count(atomic_int *counter, int at_least, const char *what) {
    for (int64_t end = deadline(); atomic_load(counter) < at_least; sched_yield())
        if (clock_monotonic_ms() > end) fail_msg("waited too long until %s", what);
}

struct group {
    struct db *db;
    atomic_int gate_reached;
    atomic_int about_to_write;
    sem_t gate;
};

struct member {
    struct group *group;
    char name[24];
    int64_t amount; /* negative: its second insert fails */
    bool ok;
    struct err error;
};

static bool hold_gate(struct db_connection *c, void *argument, struct err *e) {
    struct group *g = argument;
    (void)c;
    (void)e;
    atomic_store(&g->gate_reached, 1);
    while (sem_wait(&g->gate) != 0) continue;
    return true;
}

static void *run_gate(void *argument) {
    struct group *g = argument;
    struct err e;
    bool ok = db_write(g->db, hold_gate, g, &e);
    return ok ? g : NULL;
}

/* Writes first, then fails or not: what a failure undoes is there to be undone. */
static bool add_twice(struct db_connection *c, void *argument, struct err *e) {
    struct member *m = argument;
    char second[32];
    (void)snprintf(second, sizeof second, "%s again", m->name);
    return add_item(c, &(struct item){m->name, 1}, e) &&
           add_item(c, &(struct item){second, m->amount}, e);
}

static void *run_member(void *argument) {
    struct member *m = argument;
    atomic_fetch_add(&m->group->about_to_write, 1);
    m->ok = db_write(m->group->db, add_twice, m, &m->error);
    return NULL;
}

/* Runs all members behind one gate. Returns how many flushes they cost, the gate's own left out. */
static int run_group(struct fixture *f, struct member *members, int fault) {
    struct group g = {.db = f->db};
    pthread_t gate;
    pthread_t threads[THREADS];
    sem_init(&g.gate, 0, 0);
    pthread_create(&gate, NULL, run_gate, &g);
    await_count(&g.gate_reached, 1, "the gate holds the writer");
    for (int i = 0; i < THREADS; i++) {
        members[i].group = &g;
        pthread_create(&threads[i], NULL, run_member, &members[i]);
    }
    await_count(&g.about_to_write, THREADS, "all members are about to write");
    int before = atomic_load(&flushes); /* the gate wrote nothing: its commit flushes nothing */
    atomic_store(&flush_error, fault);
    sem_post(&g.gate);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_join(gate, NULL);
    atomic_store(&flush_error, 0);
    sem_destroy(&g.gate);
    return atomic_load(&flushes) - before;
}

static void name_members(struct member *members, int round) {
    for (int i = 0; i < THREADS; i++) {
        members[i] = (struct member){.amount = i % 4 == 3 ? -1 : 1};
        (void)snprintf(members[i].name, sizeof members[i].name, "r%d m%d", round, i);
    }
}

static void check_members(struct fixture *f, struct member *members) {
    struct err e;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(members[i].ok, members[i].amount > 0);
        if (!members[i].ok) assert_int_equal(members[i].error.code, ERR_CONFLICT);
        assert_int_equal(db_read(f->db, has_item, members[i].name, &e), members[i].ok);
    }
}

/* Threads may be late for the group, so several rounds are allowed for one that shared a commit
 * among all. */
static void failing_operation_of_a_group_undoes_only_itself(void **state) {
    struct fixture *f = *state;
    struct member members[THREADS];
    int fewest = INT32_MAX;
    int round = 0;
    for (int64_t end = deadline(); fewest > 1 && clock_monotonic_ms() < end; round++) {
        name_members(members, round);
        int cost = run_group(f, members, 0);
        fewest = cost < fewest ? cost : fewest;
        check_members(f, members);
    }
    assert_int_equal(fewest, 1);
    assert_int_equal(items_in(f->db), 1 + round * THREADS / 4 * 3 * 2);
}

static void failed_flush_fails_the_whole_group_and_ends_writing(void **state) {
    struct fixture *f = *state;
    struct member members[THREADS];
    struct err e;
    assert_true(db_write(f->db, add_item, &(struct item){"before", 1}, &e));
    name_members(members, 0);
    run_group(f, members, EIO);
    for (int i = 0; i < THREADS; i++) {
        assert_false(members[i].ok);
        assert_int_equal(members[i].error.code,
                         members[i].amount > 0 ? ERR_IO : members[i].error.code);
    }
    assert_int_equal(items_in(f->db), 2);
    /* The disk works again, but what it holds is unknown: nothing is written until the next start.
     */
    assert_false(db_write(f->db, add_item, &(struct item){"after", 1}, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.hint, "restart"));
    fixture_stop(f);
    fixture_start(f);
    assert_true(db_write(f->db, add_item, &(struct item){"after", 1}, &e));
    assert_true(db_read(f->db, has_item, "before", &e));
}

static void full_disk_is_reported_and_passes(void **state) {
    struct fixture *f = *state;
    struct err e;
    atomic_store(&write_error, ENOSPC);
    bool ok = db_write(f->db, add_item, &(struct item){"second", 1}, &e);
    atomic_store(&write_error, 0);
    assert_false(ok);
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_non_null(strstr(e.text, f->path));
    assert_int_equal(items_in(f->db), 1);
    assert_true(db_write(f->db, add_item, &(struct item){"second", 1}, &e));
    assert_int_equal(items_in(f->db), 2);
}

static void failed_write_is_reported(void **state) {
    struct fixture *f = *state;
    struct err e;
    atomic_store(&write_error, EIO);
    bool ok = db_write(f->db, add_item, &(struct item){"second", 1}, &e);
    atomic_store(&write_error, 0);
    assert_false(ok);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(items_in(f->db), 1);
}

struct traffic {
    struct db *db;
    int number;
    int failures;
};

static bool move_one(struct db_connection *c, void *argument, struct err *e) {
    const struct traffic *t = argument;
    const char *from = t->number % 2 ? "left" : "right";
    return db_exec(c, Q_MOVE, e, "si", from, INT64_C(-1)) &&
           db_exec(c, Q_MOVE, e, "si", t->number % 2 ? "right" : "left", INT64_C(1));
}

static void *run_traffic(void *argument) {
    struct traffic *t = argument;
    struct err e;
    for (int i = 0; i < 40; i++) {
        int64_t sum = 0;
        t->failures += !db_write(t->db, move_one, t, &e);
        t->failures += !db_read(t->db, sum_of_left_and_right, &sum, &e);
        t->failures += sum != 2000;
    }
    return NULL;
}

static void sixteen_threads_see_only_whole_operations(void **state) {
    struct fixture *f = *state;
    struct traffic traffic[THREADS];
    pthread_t threads[THREADS];
    int failures = 0;
    struct err e;
    assert_true(db_write(f->db, add_item, &(struct item){"left", 1000}, &e));
    assert_true(db_write(f->db, add_item, &(struct item){"right", 1000}, &e));
    for (int i = 0; i < THREADS; i++) {
        traffic[i] = (struct traffic){.db = f->db, .number = i};
        pthread_create(&threads[i], NULL, run_traffic, &traffic[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failures += traffic[i].failures;
    }
    assert_int_equal(failures, 0);
}

static atomic_int reading;

static bool read_slowly(struct db_connection *c, void *argument, struct err *e) {
    atomic_fetch_add(&reading, 1);
    await_count(&reading, 16, "sixteen read at once");
    return count_items(c, argument, e);
}

static void *run_reader(void *argument) {
    int64_t count = 0;
    struct err e;
    return db_read(argument, read_slowly, &count, &e) && count == 1 ? argument : NULL;
}

static void more_readers_than_connections_take_turns(void **state) {
    struct fixture *f = *state;
    pthread_t threads[48];
    for (int i = 0; i < 48; i++) pthread_create(&threads[i], NULL, run_reader, f->db);
    for (int i = 0; i < 48; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
}

static bool add_when_other_sleeps(struct db_connection *c, void *argument, struct err *e) {
    await_count(&sleeps, 1, "the other database waits for this one");
    return add_item(c, argument, e);
}

static void *run_slow_writer(void *argument) {
    struct err e;
    bool ok = db_write(argument, add_when_other_sleeps, &(struct item){"slow", 1}, &e);
    return ok ? argument : NULL;
}

static void *run_second_writer(void *argument) {
    struct err e;
    bool ok = db_write(argument, add_item, &(struct item){"second", 1}, &e);
    return ok ? argument : NULL;
}

static void write_waits_while_another_connection_writes(void **state) {
    struct fixture *f = *state;
    struct fixture other = *f;
    pthread_t slow;
    pthread_t second;
    void *results[2] = {NULL, NULL};
    fixture_start(&other);
    atomic_store(&sleeps, 0);
    pthread_create(&slow, NULL, run_slow_writer, f->db);
    pthread_create(&second, NULL, run_second_writer, other.db);
    pthread_join(slow, &results[0]);
    pthread_join(second, &results[1]);
    fixture_stop(&other);
    assert_non_null(results[0]);
    assert_non_null(results[1]);
    assert_int_equal(items_in(f->db), 3);
}

struct client {
    struct db *db;
    int pipe;
    int number;
};

static void *commit_and_tell(void *argument) {
    const struct client *client = argument;
    struct err e;
    for (int i = 0;; i++) {
        char name[16] = {0};
        (void)snprintf(name, sizeof name, "c%d-%d", client->number, i);
        if (!db_write(client->db, add_item, &(struct item){name, 1}, &e)) _exit(1);
        if (write(client->pipe, name, sizeof name) != sizeof name) _exit(1);
    }
}

static void child(struct fixture *f, int pipe) {
    struct client clients[4];
    pthread_t threads[4];
    fixture_start(f);
    for (int i = 0; i < 4; i++) {
        clients[i] = (struct client){f->db, pipe, i};
        pthread_create(&threads[i], NULL, commit_and_tell, &clients[i]);
    }
    for (;;) pause();
}

static void killed_process_loses_nothing_acknowledged(void **state) {
    struct fixture *f = *state;
    char names[400][16];
    int acknowledged = 0;
    int ends[2];
    struct err e;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(f, ends[1]);
    }
    close(ends[1]);
    while (acknowledged < 300 && read(ends[0], names[acknowledged], 16) == 16) acknowledged++;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (acknowledged < 400 && read(ends[0], names[acknowledged], 16) == 16) acknowledged++;
    close(ends[0]);
    assert_in_range(acknowledged, 300, 400);
    fixture_start(f);
    for (int i = 0; i < acknowledged; i++)
        if (!db_read(f->db, has_item, names[i], &e))
            fail_msg("%s was acknowledged and is gone: %s", names[i], e.text);
}

static void queued_work_is_finished_after_stop(void **state) {
    struct fixture *f = *state;
    struct group g = {.db = f->db};
    struct member member = {.group = &g, .name = "late", .amount = 1};
    pthread_t gate;
    pthread_t thread;
    sem_init(&g.gate, 0, 0);
    pthread_create(&gate, NULL, run_gate, &g);
    await_count(&g.gate_reached, 1, "the gate holds the writer");
    pthread_create(&thread, NULL, run_member, &member);
    await_count(&g.about_to_write, 1, "the member is about to write");
    db_stop(f->db);
    sem_post(&g.gate);
    pthread_join(thread, NULL);
    pthread_join(gate, NULL);
    sem_destroy(&g.gate);
    /* It came just before or just after the stop: finished or refused, never left waiting or half
     * done. */
    assert_int_equal(member.ok ? ERR_NONE : member.error.code,
                     member.ok ? ERR_NONE : ERR_UNAVAILABLE);
    assert_int_equal(items_in(f->db), member.ok ? 3 : 1);
}

static struct metric commit_seconds = {
    .name = "test_commit_seconds",
    .help = "Commits.",
    .type = METRIC_HISTOGRAM,
    .bounds = metric_seconds_bounds,
};

static void commits_are_observed(void **state) {
    struct fixture *f = *state;
    struct metric *const families[] = {&commit_seconds};
    OWN_TEXT struct text page = TEXT_EMPTY;
    struct db_options options = fixture_options(f);
    struct err e;
    commit_seconds.bound_count = metric_seconds_bound_count;
    assert_true(db_open(&f->db, &options, &e));
    db_observe_commits(f->db, &commit_seconds);
    pthread_create(&f->writer, NULL, db_writer_run, f->db);
    assert_true(db_write(f->db, add_item, &(struct item){"second", 1}, &e));
    assert_true(db_write(f->db, add_item, &(struct item){"third", 1}, &e));
    metrics_render(families, 1, &page);
    assert_non_null(strstr(text_value(&page), "test_commit_seconds_count 2"));
    metrics_fini(families, 1);
    commit_seconds.series = NULL;
}

#define COLD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define WARM(test) cmocka_unit_test_setup_teardown(test, fixture_setup_started, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WARM(failing_operation_of_a_group_undoes_only_itself),
        WARM(failed_flush_fails_the_whole_group_and_ends_writing),
        WARM(full_disk_is_reported_and_passes),
        WARM(failed_write_is_reported),
        WARM(sixteen_threads_see_only_whole_operations),
        WARM(more_readers_than_connections_take_turns),
        WARM(write_waits_while_another_connection_writes),
        COLD(killed_process_loses_nothing_acknowledged),
        WARM(queued_work_is_finished_after_stop),
        COLD(commits_are_observed),
    };
    return cmocka_run_group_tests_name("db_write", tests, NULL, NULL);
}
