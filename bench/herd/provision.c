#include "bench/herd/provision.h"

#include "bench/herd/herd.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/platform.h"
#include "lib/sign_internal.h"
#include "lib/wire.h"
#include "master/keys.h"
#include "master/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

struct order {
    struct sign_secret *keys;
    size_t count;
};

static bool insert_agents(struct db_connection *c, void *argument, struct err *e) {
    const struct order *o = argument;
    for (size_t i = 0; i < o->count; i++) {
        char id[WIRE_AGENT_ID_SIZE], key[SIGN_PUBLIC_TEXT_SIZE];
        herd_agent_id(i, id, sizeof id);
        if (!db_exec(c, Q_AGENT_INSERT, e, "ssssssssi", id,
                     sign_public_text(&o->keys[i].public, key), "admitted", "", "", platform_here(),
                     platform_arch_here(), "127.0.0.1", clock_wall_ms()))
            return false;
    }
    return true;
}

static bool generate_keys(struct order *o, struct err *e) {
    for (size_t i = 0; i < o->count; i++) {
        OWN(sign_secret) struct sign_secret *key = NULL;
        if (!sign_generate(&key, e)) return false;
        o->keys[i] = *key;
    }
    return true;
}

static bool write_keys(const struct order *o, const char *path, struct err *e) {
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t size = o->count * sizeof *o->keys;
    if (fd < 0 || write(fd, o->keys, size) != (ssize_t)size)
        return err_errno(e, errno, "write %s", path);
    return true;
}

bool provision(const char *state, size_t count, const char *keys_path, struct err *e) {
    OWN_MEMORY struct sign_secret *keys = memory_zeroed(count, sizeof *keys);
    struct order order = {keys, count};
    struct db *db = NULL;
    pthread_t writer;
    if (!generate_keys(&order, e) || !write_keys(&order, keys_path, e) ||
        !store_open(&db, state, e))
        return false;
    bool done = pthread_create(&writer, NULL, db_writer_run, db) == 0 ||
                err_set(e, ERR_UNAVAILABLE, "no thread can be started");
    if (done) {
        done = db_write(db, insert_agents, &order, e);
        db_stop(db);
        pthread_join(writer, NULL);
    }
    db_close(db);
    return done;
}

bool provision_read_keys(const char *keys_path, size_t count, struct sign_secret **out,
                         struct err *e) {
    OWN_MEMORY struct sign_secret *keys = memory_zeroed(count, sizeof *keys);
    OWN_FD int fd = open(keys_path, O_RDONLY | O_CLOEXEC);
    size_t size = count * sizeof *keys;
    if (fd < 0) return err_errno(e, errno, "read %s", keys_path);
    if (read(fd, keys, size) != (ssize_t)size)
        return err_set(e, ERR_INVALID, "%s has fewer than %zu keys", keys_path, count);
    *out = TAKE(keys);
    return true;
}

bool provision_master_key(const char *state, struct sign_public *out, struct err *e) {
    OWN(keys) struct keys *keys = NULL;
    if (!keys_open(&keys, state, false, e)) return false;
    *out = *sign_secret_public(keys_master(keys));
    return true;
}
