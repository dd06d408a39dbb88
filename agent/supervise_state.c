/* The part of agent/supervise.h that begins with what is on disk, and looks after it. */
#include "agent/supervise_internal.h"

#include "lib/file.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* One more than the highest index of a node that has a directory here. */
static size_t count_directories(const struct state *s) {
    char path[STATE_PATH_SIZE];
    size_t count = 0;
    DIR *directory = opendir(state_path(s, path, "nodes"));
    if (directory == NULL) return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char *end = NULL;
        unsigned long index = strtoul(entry->d_name, &end, 10);
        bool is_index = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && *end == '\0';
        if (is_index && index < SETTINGS_NODES_MAX && index + 1 > count) count = index + 1;
    }
    closedir(directory);
    return count;
}

static void open_nodes(struct supervise *s) {
    const struct supervise_options *o = &s->options;
    size_t wanted = (size_t)o->settings->nodes;
    size_t present = count_directories(o->state);
    s->count = wanted > present ? wanted : present;
    s->nodes = memory_zeroed(s->count, sizeof *s->nodes);
    s->facts = memory_zeroed(s->count, sizeof *s->facts);
    s->steps = memory_zeroed(s->count, sizeof *s->steps);
    s->watched = memory_zeroed(s->count + 1, sizeof *s->watched);
    s->ports = memory_zeroed(s->count, sizeof *s->ports);
    for (size_t i = 0; i < s->count; i++)
        node_init(&s->nodes[i], &s->facts[i], o->state, o->identity->agent_id, i, i < wanted);
}

/* What nobody vouches for, but binary_path asked for, may start again before that file was looked
 * at. */
static void allow_local(struct supervise *s) {
    const struct version *current = &s->versions.current;
    if (s->options.settings->binary_path[0] == '\0' || version_proven(current)) return;
    memcpy(s->versions.local, current->sha256, sizeof s->versions.local);
}

bool supervise_open(struct supervise **out, const struct supervise_options *options,
                    int64_t *generation, struct err *e) {
    OWN(supervise) struct supervise *s = memory_zeroed(1, sizeof *s);
    s->options = *options;
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0) return err_errno(e, errno, "make an event descriptor");
    wanted_load(&s->wanted, options->state);
    versions_load(&s->versions, options->state);
    fetching_init(&s->fetching, NULL, options->settings->binary_path);
    sandbox_probe(&s->sandbox, options->settings->sandbox);
    open_nodes(s);
    allow_local(s);
    supervise_open_journal(s);
    s->collect_due = true;
    s->decision = (struct reconcile_decision){.update = UPDATE_IDLE, .begun = true};
    *generation = s->wanted.desired.generation;
    supervise_publish(s);
    *out = TAKE(s);
    return true;
}

void supervise_close(struct supervise *s) {
    if (s == NULL) return;
    for (size_t i = 0; i < s->count; i++) node_fini(&s->nodes[i]);
    wanted_fini(&s->wanted);
    versions_fini(&s->versions);
    journal_fini(&s->journal);
    if (s->event_fd >= 0) close(s->event_fd);
    free(s->log.words);
    free(s->stable);
    free(s->nodes);
    free(s->facts);
    free(s->steps);
    free(s->watched);
    free(s->ports);
    free(s);
}

/* A process whose data directory was deleted serves nobody: it makes room for one with a fresh
 * directory. What another directory or disk covers is for the operator to bring back. */
static void restart_without_data(struct supervise *s, int64_t now_ms) {
    for (size_t i = 0; i < s->count; i++)
        if (s->facts[i].phase == NODE_RUNNING && access(s->nodes[i].data, F_OK) != 0)
            node_terminate(&s->nodes[i], now_ms);
}

/* Who this agent is and what it should run is known here; only the nodes' data is lost for good. */
void supervise_look_after_state(struct supervise *s, int64_t now_ms) {
    const struct supervise_options *o = &s->options;
    struct err e = {0};
    if (now_ms < s->look_ms) return;
    s->look_ms = now_ms + SUPERVISE_PAUSE_MS;
    bool lost = state_lost(o->state);
    restart_without_data(s, now_ms);
    if (!lost && identity_enrolled(o->state)) return;
    log_error("state.lost", "directory=%s", o->state->root);
    if ((lost && !state_restore(o->state, &e)) || !identity_restore(o->state, o->identity, &e)) {
        log_error("state.not_restored", "code=%s error=%s", err_code_name(e.code), e.text);
        return;
    }
    wanted_save(&s->wanted, o->state);
    s->journal.dirty = true;
    log_warn("state.restored", "directory=%s", o->state->root);
}
