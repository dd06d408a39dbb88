/* What tests of the master share: a state directory with a database and its writer, grid keys, a
 * catalog, events, and an admitted binary on request. */
#pragma once

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "master/agents.h"
#include "master/catalog.h"
#include "master/channels.h"
#include "master/events.h"
#include "master/keys.h"
#include "master/store.h"
#include "master/tokens.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    char state[64];
    struct db *db;
    pthread_t writer;
    struct keys *keys;
    struct events *events;
    struct repo *repo;
    struct catalog *catalog;
    struct agents *agents;
    char told[512]; /* ids of agents that were told, one after the other with a blank behind each */
    char dismissed[512];
};

#define assert_ok(call) assert_true_or_say((call), &error)
static inline void assert_true_or_say(bool done, const struct err *e) {
    if (!done) fail_msg("%s", e->text);
}

static inline void fixture_told(void *context, const char *const *agent_ids, size_t count) {
    struct fixture *f = context;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(f->told);
        snprintf(f->told + used, sizeof f->told - used, "%s ", agent_ids[i]);
    }
}

static inline void fixture_dismissed(void *context, const char *agent_id) {
    struct fixture *f = context;
    size_t used = strlen(f->dismissed);
    snprintf(f->dismissed + used, sizeof f->dismissed - used, "%s ", agent_id);
}

static inline void fixture_open_agents(struct fixture *f) {
    struct err error = {0};
    const struct agents_options options = {.db = f->db,
                                           .catalog = f->catalog,
                                           .events = f->events,
                                           .suspect_ms = WIRE_SUSPECT_MS,
                                           .lost_ms = WIRE_LOST_MS,
                                           .desired_changed = fixture_told,
                                           .dismissed = fixture_dismissed,
                                           .context = f};
    assert_ok(agents_open(&f->agents, &options, &error));
}

static inline int fixture_setup(void **state) {
    struct err error = {0};
    struct fixture *f = memory_zeroed(1, sizeof *f);
    sign_setup();
    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    snprintf(f->state, sizeof f->state, "/tmp/grid-master-test-XXXXXX");
    assert_non_null(mkdtemp(f->state));
    assert_ok(store_open(&f->db, f->state, &error));
    assert_int_equal(pthread_create(&f->writer, NULL, db_writer_run, f->db), 0);
    assert_ok(keys_open(&f->keys, f->state, true, &error));
    const struct repo_options repo = {.db = f->db, .keys = f->keys, .state_directory = f->state};
    assert_ok(repo_open(&f->repo, &repo, &error));
    assert_ok(catalog_open(&f->catalog, f->db, f->keys, f->repo, f->state, CATALOG_SIGNATURES_AUTO,
                           &error));
    f->events = events_new(f->db);
    fixture_open_agents(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    agents_close(f->agents);
    catalog_close(f->catalog);
    repo_close(f->repo);
    events_free(f->events);
    keys_close(f->keys);
    db_stop(f->db);
    pthread_join(f->writer, NULL);
    db_close(f->db);
    assert_ok(file_clear_directory(f->state, &error));
    assert_int_equal(rmdir(f->state), 0);
    free(f);
    return 0;
}

/* Publishes a small script as a build of this version for linux and this arch, so that no ELF is
 * needed. */
static inline void fixture_publish_as(struct fixture *f, const char *version, const char *arch,
                                      const char *content, struct binary *out) {
    struct err error = {0};
    struct artifact_name id;
    struct staged staged;
    enum admitted how;
    size_t length = strlen(content);
    assert_ok(artifact_name_make("storage-server", version, "linux", arch, &id, &error));
    assert_ok(catalog_stage(f->catalog, &staged, &error));
    assert_int_equal(write(staged.fd, content, length), length);
    assert_ok(sha256_file(staged.fd, staged.sha256, &staged.size_bytes, &error));
    const struct admission a = {.id = &id, .staged = &staged, .notes = "", .principal = "test"};
    assert_ok(catalog_admit(f->catalog, &a, out, &how, &error));
    catalog_unstage(&staged);
}

static inline void fixture_publish(struct fixture *f, const char *version, struct binary *out) {
    char content[128];
    snprintf(content, sizeof content, "#!/bin/sh\necho storage-server %s\n", version);
    fixture_publish_as(f, version, "any", content, out);
}

/* A join token's secret. */
static inline void fixture_join_secret(struct fixture *f, const char *labels, int64_t uses,
                                       char secret[SECRET_TEXT_SIZE]) {
    struct err error = {0};
    struct token token;
    const struct token_request request = {.kind = "join",
                                          .labels = labels,
                                          .uses = uses,
                                          .principal = "test",
                                          .principal_role = HTTP_ADMIN};
    assert_ok(tokens_create(f->db, &request, clock_wall_ms(), &token, secret, &error));
    token_clear(&token);
}

/* Enrolls an agent with a key of its own. */
static inline bool fixture_enroll(struct fixture *f, const char *id, const struct sign_public *key,
                                  const char *secret, struct err *e) {
    enum agent_admission admission;
    const struct agent_enrollment in = {.id = id,
                                        .public_key = key,
                                        .token = secret,
                                        .labels = "rack=a",
                                        .platform = "linux",
                                        .arch = "x86_64",
                                        .address = "127.0.0.1"};
    return agents_enroll(f->agents, &in, &admission, e);
}

static inline void fixture_key(struct sign_public *out) {
    struct err error = {0};
    OWN(sign_secret) struct sign_secret *secret = NULL;
    assert_ok(sign_generate(&secret, &error));
    *out = *sign_secret_public(secret);
}

static inline void fixture_agent(struct fixture *f, const char *id) {
    struct err error = {0};
    struct sign_public key;
    char secret[SECRET_TEXT_SIZE];
    fixture_key(&key);
    fixture_join_secret(f, "", 1, secret);
    assert_ok(fixture_enroll(f, id, &key, secret, &error));
}
