#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "master/catalog.h"
#include "master/events.h"
#include "master/follow_up.h"
#include "master/intake_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_MS 1000        /* a file that looked the same for so long is not being written */
#define RETRY_MS 5000         /* after a refusal that was not the file's fault */
#define UNHINTED_SCAN_MS 2000 /* without inotify the rescan is all there is */
#define REFUSALS_TOLD_MAX 100 /* events of one scan; the list of refusals holds all */

#define WATCHED                                                                                    \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

bool intake_open(struct intake **out, const char *directory, struct catalog *catalog,
                 struct agents *agents, struct events *events, int64_t scan_interval_ms,
                 struct err *e) {
    OWN(intake) struct intake *i = memory_zeroed(1, sizeof *i);
    i->catalog = catalog;
    i->agents = agents;
    i->events = events;
    i->interval_ms = scan_interval_ms;
    i->watch = -1;
    pthread_mutex_init(&i->lock, NULL);
    i->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    i->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (i->wake < 0) return err_errno(e, errno, "drop box");
    if (i->inotify < 0) log_warn("intake.inotify", "error=%s", strerror(errno));
    if (!text_copy(i->directory, sizeof i->directory, directory))
        return err_set(e, ERR_INVALID, "drop box %.64s...: the path is too long", directory);
    if (!file_make_directory(directory, 0755, e)) return err_wrap(e, "drop box");
    *out = TAKE(i);
    return true;
}

void intake_close(struct intake *i) {
    if (i == NULL) return;
    if (i->wake >= 0) close(i->wake);
    if (i->inotify >= 0) close(i->inotify);
    pthread_mutex_destroy(&i->lock);
    free(i->drops.items);
    free(i->rejected);
    free(i);
}

void intake_wake(struct intake *i) {
    (void)eventfd_write(i->wake, 1); /* fails only when it was woken more often than it can count */
}

void intake_stop(struct intake *i) {
    atomic_store(&i->stopping, true);
    intake_wake(i);
}

bool intake_scanned_once(struct intake *i) {
    return atomic_load(&i->scanned);
}

static bool settled(const struct intake *i, const struct drop *d, int64_t now_ms) {
    /* Empty files are often made first and filled a moment later. */
    if (d->hinted && d->look.file.size_bytes > 0) return true;
    if (now_ms - d->since_ms >= SETTLE_MS) return true;
    int64_t age_ms = clock_wall_ms() - d->look.file.modified_ns / 1000000;
    return !atomic_load(&i->scanned) && age_ms >= SETTLE_MS;
}

/* Refusals that may end without the file changing. */
static bool may_pass(enum err_code code) {
    return code == ERR_NO_SPACE || code == ERR_IO || code == ERR_CORRUPT || code == ERR_INTERNAL ||
           code == ERR_UNAVAILABLE;
}

static bool is_due(const struct intake *i, const struct drop *d, bool trust_changed,
                   int64_t now_ms) {
    if (d->state == DROP_SEEN) return settled(i, d, now_ms);
    if (d->state == DROP_HELD) return trust_changed;
    if (d->state != DROP_REFUSED) return false;
    if (trust_changed && d->code == ERR_UNTRUSTED) return true;
    return may_pass(d->code) && now_ms - d->tried_ms >= RETRY_MS;
}

struct due {
    struct drop *drop;
    struct artifact_name id; /* empty when the name breaks the rule */
};

/* Newest version first, so that the channel of a new grid adopts that one. */
static int compare_due(const void *a, const void *b) {
    const struct artifact_name *x = &((const struct due *)a)->id;
    const struct artifact_name *y = &((const struct due *)b)->id;
    int order = strcmp(x->name, y->name);
    if (order != 0 || x->name[0] == '\0') return order;
    return -semver_order(x->version, y->version);
}

static size_t collect_due(const struct intake *i, const struct drops *drops, bool trust_changed,
                          int64_t now_ms, struct due *out) {
    size_t count = 0;
    struct err ignored;
    for (size_t d = 0; d < drops->count; d++) {
        if (!is_due(i, &drops->items[d], trust_changed, now_ms)) continue;
        out[count].drop = &drops->items[d];
        if (!artifact_name_parse(drops->items[d].name, &out[count].id, &ignored))
            out[count].id = (struct artifact_name){0};
        count++;
    }
    if (count > 0) qsort(out, count, sizeof *out, compare_due);
    return count;
}

static void refuse(struct intake *i, struct drop *d, const struct err *why, size_t *told) {
    struct rejected now = {.seen_at_ms = clock_wall_ms()};
    intake_printable(d->name, now.file);
    snprintf(now.code, sizeof now.code, "%s", err_code_name(why->code));
    snprintf(now.reason, sizeof now.reason, "%s%s%s", why->text, why->hint[0] != '\0' ? "; " : "",
             why->hint);
    bool known = d->state == DROP_REFUSED && strcmp(d->why.reason, now.reason) == 0;
    d->state = DROP_REFUSED;
    d->code = why->code;
    if (known) return;
    d->why = now;
    if (++*told <= REFUSALS_TOLD_MAX && i->events != NULL)
        events_record(i->events, "binary.rejected", now.file, "drop-box", now.reason);
    else
        log_warn("intake.refused", "file=%s code=%s reason=%s", now.file, now.code, now.reason);
}

struct pass {
    struct intake *intake;
    size_t told;  /* refusals */
    bool changed; /* the catalog, or what waits for it */
};

static void settle(void *argument, void *subject, enum admitted how, const struct err *why) {
    struct pass *p = argument;
    struct drop *d = subject;
    if (why != NULL) {
        refuse(p->intake, d, why, &p->told);
        return;
    }
    d->state = how == ADMITTED_HELD ? DROP_HELD : DROP_TAKEN;
    p->changed = p->changed || how != ADMITTED_SAME;
}

static void handle(struct pass *p, struct catalog_batch *batch, int directory, struct drop *d,
                   int64_t now_ms) {
    struct err e = {0};
    d->tried_ms = now_ms;
    enum outcome outcome = intake_take(p->intake, batch, directory, d, now_ms, &e);
    if (outcome == OUTCOME_REFUSED) refuse(p->intake, d, &e, &p->told);
    if (outcome == OUTCOME_SAME) d->state = DROP_TAKEN;
}

static bool handle_due(struct intake *i, int directory, struct drops *drops, bool trust_changed,
                       int64_t now_ms) {
    OWN_MEMORY struct due *due = memory_zeroed(drops->count + 1, sizeof *due);
    size_t count = collect_due(i, drops, trust_changed, now_ms, due);
    struct pass pass = {.intake = i};
    struct catalog_batch *batch = catalog_batch_open(i->catalog, settle, &pass);
    for (size_t d = 0; d < count && !atomic_load(&i->stopping); d++)
        handle(&pass, batch, directory, due[d].drop, now_ms);
    catalog_batch_close(batch);
    return pass.changed;
}

static void keep(struct intake *i, struct drops *drops) {
    size_t refused = 0;
    struct rejected *rejected = memory_zeroed(drops->count + 1, sizeof *rejected);
    i->undecided = false;
    for (size_t d = 0; d < drops->count; d++) {
        if (drops->items[d].state == DROP_REFUSED) rejected[refused++] = drops->items[d].why;
        if (drops->items[d].state == DROP_SEEN ||
            (drops->items[d].state == DROP_REFUSED && may_pass(drops->items[d].code)))
            i->undecided = true;
    }
    free(i->drops.items);
    i->drops = *drops;
    pthread_mutex_lock(&i->lock);
    free(i->rejected);
    i->rejected = rejected;
    i->rejected_count = refused;
    pthread_mutex_unlock(&i->lock);
}

void intake_rejected(struct intake *i, struct rejected **out, size_t *count) {
    pthread_mutex_lock(&i->lock);
    *count = i->rejected_count;
    *out = memory_zeroed(*count + 1, sizeof **out);
    if (*count > 0) memcpy(*out, i->rejected, *count * sizeof **out);
    pthread_mutex_unlock(&i->lock);
}

/* The directory may be another one than at the last scan: watching is begun again each time, which
 * changes nothing for the same one. */
static int open_directory(struct intake *i, struct err *e) {
    int fd = open(i->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) err_errno(e, errno, "open the drop box");
    if (fd < 0 || i->inotify < 0) return fd;
    int watch = inotify_add_watch(i->inotify, i->directory, WATCHED);
    if (watch < 0)
        log_warn("intake.inotify", "directory=%s error=%s", i->directory, strerror(errno));
    if (i->watch >= 0 && watch != i->watch) (void)inotify_rm_watch(i->inotify, i->watch);
    i->watch = watch;
    return fd;
}

static void tell_directory(struct intake *i, bool readable, const struct err *why) {
    if (readable == !i->unreadable) return;
    i->unreadable = !readable;
    if (readable)
        log_info("intake.directory", "directory=%s state=readable", i->directory);
    else
        log_error("intake.directory", "directory=%s error=%s", i->directory, why->text);
}

/* What was refused or held for its signature is looked at again when a publisher has come or gone.
 */
static bool trust_changed(struct intake *i) {
    int64_t trust = catalog_trust_mark(i->catalog);
    bool changed = trust != i->trust;
    i->trust = trust;
    return changed;
}

static bool lies_there(const void *box, const char *file) {
    return intake_find(box, file) != NULL;
}

static void prune_discarded(struct intake *i, const struct drops *drops) {
    struct err e;
    if (!catalog_prune_discarded(i->catalog, lies_there, drops, &e))
        log_error("intake.discarded", "error=%s", e.text);
}

bool intake_scan(struct intake *i, int64_t now_ms) {
    OWN_TEXT struct text hints = TEXT_EMPTY;
    struct drops drops;
    struct err e;
    OWN_FD int directory = open_directory(i, &e);
    intake_read_hints(i, &hints);
    bool readable =
        directory >= 0 && intake_look(directory, &i->drops, text_value(&hints), now_ms, &drops, &e);
    tell_directory(i, readable, &e);
    if (!readable) return false;
    bool taken = handle_due(i, directory, &drops, trust_changed(i), now_ms);
    prune_discarded(i, &drops);
    keep(i, &drops);
    atomic_store(&i->scanned, true);
    if (taken) follow_up(i->agents, i->events);
    return taken;
}

static void wait_for_reason(struct intake *i) {
    struct pollfd ready[] = {
        {.fd = i->wake,    .events = POLLIN},
        {.fd = i->inotify, .events = POLLIN}
    };
    int64_t wait_ms = i->interval_ms;
    eventfd_t wakings;
    if ((i->watch < 0 || i->unreadable) && wait_ms > UNHINTED_SCAN_MS) wait_ms = UNHINTED_SCAN_MS;
    if (i->undecided && wait_ms > SETTLE_MS) wait_ms = SETTLE_MS;
    (void)poll(ready, 2, (int)wait_ms);
    (void)eventfd_read(i->wake, &wakings);
}

void *intake_run(void *argument) {
    struct intake *i = argument;
    while (!atomic_load(&i->stopping)) {
        (void)intake_scan(i, clock_monotonic_ms());
        if (!atomic_load(&i->stopping)) wait_for_reason(i);
    }
    return NULL;
}
