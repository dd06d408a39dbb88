/* The part of agent/node.h that starts processes. */
#include "agent/cache.h"
#include "agent/node_internal.h"
#include "agent/node_log.h"
#include "agent/ports.h"
#include "agent/spawn.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NONCE_BYTES = 32, MOST_ARGUMENTS = 10, PORT_WAITS = 5, PORT_WAIT_MS = 200 };

/* A process that was just killed may hold its port a little longer than its pid. */
static bool wait_for_port(struct node *n, int64_t now_ms) {
    int port = (int)n->record.port;
    if (port == 0 || n->port_losses > 0 || n->port_waits >= PORT_WAITS || ports_free(port))
        return false;
    n->port_waits++;
    n->facts->start_after_ms = now_ms + PORT_WAIT_MS;
    return true;
}

/* Which port, and what to say when it is another one than before. After a start that lost its port
 * to somebody else's start the search begins at random, so that two agents do not race for the next
 * one. */
static bool choose_port(struct node *n, const struct node_launch *l, struct err *e) {
    char holder[PORTS_HOLDER_SIZE];
    int before = (int)n->record.port;
    unsigned size = (unsigned)(l->last_port - l->first_port + 1);
    unsigned offset = n->port_losses > 0 ? random_below(size) : 0;
    int port =
        ports_choose(l->first_port, l->last_port, l->reserved, l->reserved_count, before, offset);
    if (port == 0) {
        err_set(e, ERR_CONFLICT, "no port from %d to %d is free; %d is taken by %s", l->first_port,
                l->last_port, l->first_port, ports_holder(l->first_port, holder));
        return err_hint(e, "free one, or give the agent another range with --node-ports");
    }
    n->port_note[0] = '\0';
    if (before != 0 && before != port)
        snprintf(n->port_note, sizeof n->port_note, "port %d is taken by %s, so this node uses %d",
                 before, ports_holder(before, holder), port);
    if (n->port_note[0] != '\0') log_warn("node.port", "node=%s reason=%s", n->id, n->port_note);
    n->record.port = port;
    return true;
}

/* A full disk does not keep a node from serving: without its record it is known by its own note. */
static bool save_record(struct node *n, struct err *e) {
    if (record_save(n->directory, &n->record, e)) return true;
    if (e->code != ERR_NO_SPACE) return false;
    log_warn("node.record_not_saved", "node=%s error=%s", n->id, e->text);
    return true;
}

static bool write_record(struct node *n, const struct node_launch *l, struct err *e) {
    struct record *r = &n->record;
    random_hex(NONCE_BYTES, r->nonce);
    memcpy(r->sha256, l->version->sha256, sizeof r->sha256);
    memcpy(r->version, l->version->version, sizeof r->version);
    r->log_begin = node_log_end(n->directory);
    if (l->restart_generation > r->restart_generation)
        r->restart_generation = l->restart_generation;
    return save_record(n, e);
}

/* A user of its own cannot pass through the agent's directories, nor needs to: it begins in its
 * data. */
static bool run(struct node *n, const struct sandbox_start *sandbox, int executable_fd, int log_fd,
                struct spawned *out, struct err *e) {
    char port[16];
    char nonce[RECORD_NONCE_SIZE + 32];
    char name[] = "storage-server", here[] = ".";
    char data_flag[] = "--data", host_flag[] = "--host", host[] = "127.0.0.1",
         port_flag[] = "--port", id_flag[] = "--id";
    snprintf(port, sizeof port, "%" PRId64, n->record.port);
    snprintf(nonce, sizeof nonce, "GRID_NODE_NONCE=%s", n->record.nonce);
    char *arguments[MOST_ARGUMENTS] = {
        name,      data_flag, sandbox->separate_user ? here : n->data,
        host_flag, host,      port_flag,
        port,      id_flag,   n->id,
        NULL};
    OWN_MEMORY char **environment = spawn_environment(nonce);
    const struct spawn_request request = {.executable_fd = executable_fd,
                                          .arguments = arguments,
                                          .environment = environment,
                                          .directory =
                                              sandbox->separate_user ? n->data : n->directory,
                                          .output_fd = log_fd,
                                          .sandbox = sandbox};
    return spawn_run(&request, out, e);
}

/* Takes by. True when it is another than before. */
static bool replace_lines(char **lines, char *by) {
    bool differs = *lines == NULL || strcmp(*lines, by) != 0;
    free(*lines);
    *lines = by;
    return differs;
}

/* Who owned the data is written down before somebody else may write to them. */
static bool run_fenced(struct node *n, const struct node_launch *l, int executable_fd, int log_fd,
                       struct spawned *out, struct err *e) {
    struct sandbox_start start;
    int64_t user = l->sandbox->user;
    bool owned = user != 0 && n->record.user == user;
    if (!sandbox_prepare(l->sandbox, n->data, n->from_store ? executable_fd : -1, owned, &start, e))
        return false;
    n->record.user = start.separate_user ? user : 0;
    bool news = replace_lines(&n->record.sandbox, sandbox_layers(&start));
    bool done = ((!news && owned == start.separate_user) || save_record(n, e)) &&
                run(n, &start, executable_fd, log_fd, out, e);
    sandbox_start_fini(&start);
    return done;
}

static bool seal_and_run(struct node *n, const struct node_launch *l, int store_fd, int log_fd,
                         struct spawned *out, struct err *e) {
    OWN_FD int fd = -1;
    if (!spawn_seal(store_fd, l->version, *l->avoid_memfd, &fd, &n->from_store, e)) return false;
    return run_fenced(n, l, fd, log_fd, out, e);
}

static bool launch(struct node *n, const struct node_launch *l, struct spawned *out,
                   struct err *e) {
    OWN_FD int log_fd = node_log_open(n->directory, e);
    if (log_fd < 0) return false;
    OWN_FD int store_fd = cache_open(l->state, l->version->sha256, e);
    if (store_fd < 0) return false;
    if (seal_and_run(n, l, store_fd, log_fd, out, e)) return true;
    if (e->code != ERR_DENIED || n->from_store) return false;
    log_warn("node.no_memfd", "node=%s error=%s", n->id, e->text);
    *l->avoid_memfd = true;
    return seal_and_run(n, l, store_fd, log_fd, out, e);
}

static bool prepare(struct node *n, const struct node_launch *l, struct err *e) {
    return file_make_directory(n->data, 0700, e) && choose_port(n, l, e) && write_record(n, l, e);
}

/* Of a start that was prepared: the disk is full or fails, the stored bytes are not what they were,
 * there is no room for a process. That the bytes cannot be executed is ERR_INVALID. */
static bool is_machines(enum err_code code) {
    return code == ERR_NO_SPACE || code == ERR_IO || code == ERR_CORRUPT;
}

/* A start may take its time. The process began where whoever adopts it will say that it did. */
static int64_t age_of(pid_t pid) {
    int64_t start_time = adopt_start_time(pid);
    return start_time >= 0 ? adopt_age_ms(start_time) : 0;
}

bool node_start(struct node *n, const struct node_launch *l, int64_t now_ms, struct err *e) {
    struct spawned child;
    if (adopt_is_held(n->data)) {
        n->facts->phase = NODE_UNKNOWN;
        n->ask_after_ms = now_ms;
        return true;
    }
    if (wait_for_port(n, now_ms)) return true;
    bool prepared = prepare(n, l, e);
    if (!prepared || !launch(n, l, &child, e)) {
        log_error("node.start_failed", "node=%s version=%s code=%s error=%s", n->id,
                  l->version->version, err_code_name(e->code), e->text);
        node_set_trouble(n, e->code, e->text);
        node_back_off(n, 0, now_ms);
        n->facts->machine_failed = !prepared || is_machines(e->code);
        return false;
    }
    if (n->facts->machine_failed) n->facts->failures = 0; /* the row was the machine's */
    n->facts->machine_failed = false;
    node_become_running(n, child.pid, child.pidfd, age_of(child.pid), now_ms);
    n->facts->restart_ordered = false;
    n->port_waits = 0;
    log_info("node.started", "node=%s pid=%d port=%" PRId64 " version=%s sealed=%s", n->id,
             (int)n->pid, n->record.port, n->record.version, n->from_store ? "no" : "yes");
    return true;
}
