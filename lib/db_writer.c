/* The writer's thread. What waits together forms a group and shares one commit; each job has a
 * savepoint of its own:
 *
 *   BEGIN IMMEDIATE   SAVEPOINT job RELEASE   SAVEPOINT job ROLLBACK TO RELEASE   ...   COMMIT
 */
#include "lib/db_internal.h"
#include "lib/metrics.h"

#include <assert.h>
#include <time.h>

/* Lives on the stack of the thread that waits in db_write. */
struct db_job {
    db_operation *operation;
    void *argument;
    struct err error;
    bool ok;
    bool done; /* guarded by queue_lock, as is the condition */
    pthread_cond_t ended;
    struct db_notes notes; /* to run when it is ok after the commit */
    struct db_job *next;
};

static void job_run(struct db_connection *c, struct db_job *job) {
    job->ok = false;
    if (!db_connection_run(c, "SAVEPOINT job", &job->error)) return;
    assert(c->notes == NULL);
    c->notes = &job->notes;
    job->ok = job->operation(c, job->argument, &job->error);
    c->notes = NULL;
    if (sqlite3_get_autocommit(c->handle))
        return; /* SQLite gave up the whole transaction: the caller sees to it */
    if (!job->ok) sqlite3_exec(c->handle, "ROLLBACK TO job", NULL, NULL, NULL);
    struct err released;
    if (!db_connection_run(c, "RELEASE job", &released)) {
        job->ok = false;
        job->error = released;
        sqlite3_exec(c->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* Takes back what jobs up to end (exclusive) believed to have written. */
static void fail_jobs(struct db_job *first, const struct db_job *end, const struct err *why) {
    for (struct db_job *job = first; job != end; job = job->next) {
        if (job->ok) job->error = *why;
        job->ok = false;
    }
}

static bool begin(struct db *db, struct err *e) {
    if (db->flush_failed) {
        err_set(e, ERR_IO, "database %s: a flush to disk failed, so nothing more is written",
                db->path);
        return err_hint(e, "look after the disk, then restart the program");
    }
    return db_connection_run(db->writer, "BEGIN IMMEDIATE", e);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* After a failed fsync the kernel may have dropped the dirty pages, and a second one would report
 * success. */
static bool is_failed_flush(const struct db_connection *c) {
    int result = sqlite3_extended_errcode(c->handle);
    return result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC;
}

static bool commit(struct db *db, struct err *e) {
    double begun = seconds_now();
    if (!db_connection_run(db->writer, "COMMIT", e)) {
        db->flush_failed = is_failed_flush(db->writer);
        if (!sqlite3_get_autocommit(db->writer->handle))
            sqlite3_exec(db->writer->handle, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    if (db->commits != NULL) metric_observe(db->commits, seconds_now() - begun, NULL, NULL);
    return true;
}

/* Runs jobs in one transaction. Returns those that were not run because the transaction was lost on
 * the way. */
static struct db_job *transaction_run(struct db *db, struct db_job *jobs) {
    struct err e;
    if (!begin(db, &e)) {
        for (struct db_job *job = jobs; job != NULL; job = job->next) job->ok = true;
        fail_jobs(jobs, NULL, &e);
        return NULL;
    }
    for (struct db_job *job = jobs; job != NULL; job = job->next) {
        job_run(db->writer, job);
        if (!sqlite3_get_autocommit(db->writer->handle)) continue;
        if (job->ok)
            err_set(&job->error, ERR_IO, "database %s: the transaction was undone", db->path);
        job->ok = false;
        fail_jobs(jobs, job->next, &job->error);
        return job->next;
    }
    if (!commit(db, &e)) fail_jobs(jobs, NULL, &e);
    return NULL;
}

void db_after_commit(struct db_connection *c, void (*run)(const void *note), void *note) {
    struct db_note *n = memory_zeroed(1, sizeof *n);
    assert(c->notes != NULL); /* inside an operation of db_write */
    n->run = run;
    n->note = note;
    STAILQ_INSERT_TAIL(c->notes, n, next);
}

static void run_notes(struct db_job *job) {
    for (struct db_note *n; (n = STAILQ_FIRST(&job->notes)) != NULL;) {
        STAILQ_REMOVE_HEAD(&job->notes, next);
        if (job->ok) n->run(n->note);
        free(n->note);
        free(n);
    }
}

static void report(struct db *db, struct db_job *jobs) {
    pthread_mutex_lock(&db->queue_lock);
    while (jobs != NULL) {
        struct db_job *job = jobs;
        jobs = job->next; /* read before its owner may go on: the job is gone then */
        assert(!job->done);
        job->done = true;
        pthread_cond_signal(&job->ended);
    }
    pthread_mutex_unlock(&db->queue_lock);
}

/* Everything queued, waiting for something. NULL when stopping and nothing is left. */
static struct db_job *take_group(struct db *db) {
    pthread_mutex_lock(&db->queue_lock);
    while (db->first == NULL && !db->stopping)
        pthread_cond_wait(&db->queue_filled, &db->queue_lock);
    struct db_job *jobs = db->first;
    db->first = NULL;
    db->last = &db->first;
    pthread_mutex_unlock(&db->queue_lock);
    return jobs;
}

static void writer_mark(struct db *db, bool runs) {
    pthread_mutex_lock(&db->queue_lock);
    assert(db->writer_runs != runs); /* there is one writer */
    db->writer_runs = runs;
    db->writer_thread = pthread_self();
    pthread_mutex_unlock(&db->queue_lock);
}

void *db_writer_run(void *argument) {
    struct db *db = argument;
    struct db_job *group = NULL;
    writer_mark(db, true);
    while ((group = take_group(db)) != NULL) {
        for (struct db_job *jobs = group; jobs != NULL;) jobs = transaction_run(db, jobs);
        for (struct db_job *job = group; job != NULL; job = job->next) run_notes(job);
        report(db, group);
    }
    writer_mark(db, false);
    return NULL;
}

void db_stop(struct db *db) {
    pthread_mutex_lock(&db->queue_lock);
    db->stopping = true;
    pthread_cond_signal(&db->queue_filled);
    pthread_mutex_unlock(&db->queue_lock);
}

/* Queues the job and waits for its end. False when the database takes no more work. */
static bool job_wait(struct db *db, struct db_job *job) {
    pthread_mutex_lock(&db->queue_lock);
    bool taken = !db->stopping;
    assert(!db->writer_runs || !pthread_equal(db->writer_thread, pthread_self()));
    if (taken) {
        *db->last = job;
        db->last = &job->next;
        pthread_cond_signal(&db->queue_filled);
        while (!job->done) pthread_cond_wait(&job->ended, &db->queue_lock);
    }
    pthread_mutex_unlock(&db->queue_lock);
    return taken;
}

bool db_write(struct db *db, db_operation *operation, void *argument, struct err *e) {
    struct db_job job = {.operation = operation, .argument = argument};
    STAILQ_INIT(&job.notes);
    pthread_cond_init(&job.ended, NULL);
    bool taken = job_wait(db, &job);
    pthread_cond_destroy(&job.ended);
    if (!taken) return err_set(e, ERR_UNAVAILABLE, "database %s is closing", db->path);
    if (!job.ok && e != NULL) *e = job.error;
    return job.ok;
}

void db_observe_commits(struct db *db, struct metric *histogram) {
    db->commits = histogram;
}
