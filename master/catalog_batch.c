#include "master/catalog_internal.h"

#include "lib/clock.h"

#include <string.h>

#define ADMISSIONS_MAX 64
#define DURATION_MIN_MS 50
/* A batch is gathered for so many times as long as the one before took to commit, so that signing
 * takes its small part of the whole, however much is published and however slow the disk is. */
#define DURATION_COMMITS 4

/* An admission on its way, with all that its entry points to. */
struct awaiting {
    struct artifact_name id;
    struct staged staged; /* the digest of what is an object already */
    struct admission admission;
    struct binary binary;
    struct entry entry;
    struct object_claim claim;
    void *subject;
    bool refused;
    struct err why;
};

struct catalog_batch {
    struct catalog *catalog;
    catalog_told *told;
    void *argument;
    struct awaiting *list;
    size_t count;
    int64_t begun_at_ms;
    int64_t commit_ms; /* how long the last one took */
};

struct catalog_batch *catalog_batch_open(struct catalog *c, catalog_told *told, void *argument) {
    struct catalog_batch *b = memory_zeroed(1, sizeof *b);
    b->catalog = c;
    b->told = told;
    b->argument = argument;
    b->list = memory_zeroed(ADMISSIONS_MAX, sizeof *b->list);
    return b;
}

void catalog_batch_close(struct catalog_batch *b) {
    if (b == NULL) return;
    catalog_batch_commit(b);
    free(b->list);
    free(b);
}

/* One that fails must not take the others with it: each goes alone then. */
static void publish_all(struct catalog_batch *b) {
    struct entry *entries[ADMISSIONS_MAX];
    struct err ignored;
    for (size_t i = 0; i < b->count; i++) entries[i] = &b->list[i].entry;
    if (b->count > 1 && catalog_publish(b->catalog, entries, b->count, &ignored)) return;
    for (size_t i = 0; i < b->count; i++) {
        struct awaiting *w = &b->list[i];
        w->refused = !catalog_publish(b->catalog, &entries[i], 1, &w->why);
        /* A commit that failed on the disk may be there after a restart, see catalog_admit. */
        if (w->refused && w->why.code != ERR_IO) objects_drop_unused(b->catalog, w->staged.sha256);
    }
}

static void tell(struct catalog_batch *b, const struct awaiting *w) {
    enum admitted how = catalog_end_entry(b->catalog, &w->entry, !w->refused);
    b->told(b->argument, w->subject, how, w->refused ? &w->why : NULL);
}

void catalog_batch_commit(struct catalog_batch *b) {
    int64_t begun_at_ms = clock_monotonic_ms();
    if (b->count == 0) return;
    publish_all(b);
    for (size_t i = 0; i < b->count; i++) objects_end_claim(b->catalog, &b->list[i].claim);
    for (size_t i = 0; i < b->count; i++) tell(b, &b->list[i]);
    b->count = 0;
    b->commit_ms = clock_monotonic_ms() - begun_at_ms;
}

static bool lasted_long_enough(const struct catalog_batch *b) {
    int64_t duration_ms = clock_monotonic_ms() - b->begun_at_ms;
    return duration_ms >= DURATION_MIN_MS && duration_ms >= DURATION_COMMITS * b->commit_ms;
}

/* Its claim would wait for itself. */
static bool claims(const struct catalog_batch *b, const char *sha256) {
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->list[i].staged.sha256, sha256) == 0) return true;
    return false;
}

/* The words of signature and notes are in the binary once that is prepared. */
static void take_up(struct awaiting *w, const struct admission *a) {
    w->id = *a->id;
    w->staged = *a->staged;
    w->admission = *a;
    w->admission.id = &w->id;
    w->admission.staged = &w->staged;
    w->entry = (struct entry){.admission = &w->admission, .binary = &w->binary};
    w->refused = false;
    w->why = (struct err){0};
}

void catalog_batch_add(struct catalog_batch *b, const struct admission *a, void *subject) {
    if (claims(b, a->staged->sha256)) catalog_batch_commit(b);
    struct awaiting *w = &b->list[b->count];
    take_up(w, a);
    w->subject = subject;
    objects_claim(b->catalog, &w->claim, w->staged.sha256);
    w->refused = !catalog_prepare(b->catalog, &w->entry, &w->why);
    if (w->refused || w->entry.standing == STANDING_SAME) {
        objects_end_claim(b->catalog, &w->claim);
        tell(b, w);
        return;
    }
    if (b->count++ == 0) b->begun_at_ms = clock_monotonic_ms();
    if (b->count == ADMISSIONS_MAX || lasted_long_enough(b)) catalog_batch_commit(b);
}
