/* The test program as a node: run as `PROGRAM --data DIR --host H --port P --id ID`, as the agent
 * starts storage-servers, it locks the directory, leaves its note and answers. FAKE_NODE in the
 * environment makes it misbehave: crash (exit 3 at once), mute (the same without a word), orphan
 * (the same, but a child lives on and DIR/child names it), conflict (exit 5 at once, as one that
 * finds its port taken), silent (never listens), failing (says so), veto (must not stop), stubborn
 * (ignores SIGTERM). */
#pragma once

#include "agent/adopt.h"
#include "lib/clock.h"
#include "lib/http_server.h"
#include "lib/sign.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool fake_behaves(const char *how) {
    const char *behaviour = getenv("FAKE_NODE");
    return behaviour != NULL && strcmp(behaviour, how) == 0;
}

static void fake_healthz(struct http_request *r) {
    char json[300];
    const char *nonce = getenv("GRID_NODE_NONCE");
    bool failing = fake_behaves("failing");
    int length = snprintf(json, sizeof json,
                          "{\"status\":\"%s\",\"reasons\":[%s],\"nonce\":\"%s\",\"version\":\"9.9."
                          "9\",\"capacity_bytes\":1000,"
                          "\"free_bytes\":400}",
                          failing ? "failing" : "ok", failing ? "\"index_lost\"" : "",
                          nonce != NULL ? nonce : "");
    http_reply_json(r, 200, json, (size_t)length);
}

static void fake_ok_to_stop(struct http_request *r) {
    const char *json = fake_behaves("veto") ? "{\"ok\":false,\"reasons\":[\"last copy\"]}"
                                            : "{\"ok\":true,\"reasons\":[]}";
    http_reply_json(r, 200, json, strlen(json));
}

/* Locks DIR/lock and writes the note; never returns without the lock. */
static int fake_lock(const char *data, const char *id, int port, const char *nonce) {
    char path[5000];
    char note[1024];
    snprintf(path, sizeof path, "%s/lock", data);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) _exit(5);
    int length = snprintf(note, sizeof note,
                          "{\"pid\":%d,\"start_time\":%lld,\"boot_id\":\"%s\",\"sha256\":\"\","
                          "\"port\":%d,\"nonce\":\"%s\","
                          "\"id\":\"%s\",\"version\":\"9.9.9\"}\n",
                          (int)getpid(), (long long)adopt_start_time(getpid()), clock_boot_id(),
                          port, nonce, id);
    if (pwrite(fd, note, (size_t)length, 0) != length || ftruncate(fd, length) != 0) _exit(6);
    return fd;
}

static int fake_serve(const char *data, int port, const char *id) {
    static const struct http_route routes[] = {
        {"GET", "/healthz",       HTTP_PUBLIC, fake_healthz,    0, 0, NULL},
        {"GET", "/v1/ok-to-stop", HTTP_PUBLIC, fake_ok_to_stop, 0, 0, NULL},
    };
    const struct http_server_options options = {
        .address = "127.0.0.1", .port = port, .workers = 4, .routes = routes, .route_count = 2};
    struct http_server *server = NULL;
    struct err e;
    const char *nonce = getenv("GRID_NODE_NONCE");
    fake_lock(data, id, fake_behaves("silent") ? 0 : port, nonce != NULL ? nonce : "");
    fprintf(stderr, "fake node %s on port %d, token %s\n", id, port,
            getenv("GRID_TOKEN") != NULL ? "seen" : "unseen");
    if (fake_behaves("stubborn")) signal(SIGTERM, SIG_IGN);
    if (!fake_behaves("silent") && !http_server_start(&server, &options, &e)) {
        fprintf(stderr, "fake node: %s\n", e.text);
        return 4;
    }
    for (;;) pause();
}

static void fake_leave_child(const char *data) {
    char path[5000];
    snprintf(path, sizeof path, "%s/child", data);
    pid_t pid = fork();
    if (pid == 0)
        for (;;) pause();
    FILE *file = fopen(path, "we");
    if (file == NULL) _exit(7);
    fprintf(file, "%d", (int)pid);
    fclose(file);
}

/* True when the program was run as a node; then *status is what main returns. */
static bool fake_node_main(int argc, char **argv, int *status) {
    if (argc < 9 || strcmp(argv[1], "--data") != 0) return false;
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (fake_behaves("orphan")) fake_leave_child(argv[2]);
    if (fake_behaves("conflict")) {
        *status = err_exit_code(ERR_CONFLICT);
        return true;
    }
    if (fake_behaves("mute")) {
        *status = 3;
        return true;
    }
    if (fake_behaves("crash") || fake_behaves("orphan")) {
        fprintf(stderr, "fake node: crashing as told\n");
        *status = 3;
        return true;
    }
    *status = fake_serve(argv[2], atoi(argv[6]), argv[8]); /* NOLINT(cert-err34-c) */
    return true;
}
