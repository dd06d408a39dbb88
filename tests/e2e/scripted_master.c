/* scripted-master DIRECTORY FILE NAME [FILE NAME]...: a master on the real bus that answers
 * heartbeats with what it is told, for tests of the agent alone. It publishes the files under these
 * names (NAME,yanked and NAME,floor=VERSION: as such), writes what says so into DIRECTORY, and
 * prints, each on a line:
 *
 *   join JOIN_STRING
 *   artifact JSON     of each file, in order
 *   report JSON       of each heartbeat that differs from the one before it
 *
 * Each line of its input is the desired state from then on. It answers twice a second at least, so
 * that leases are renewed, and ends with its input. */
#include "lib/file.h"
#include "lib/join.h"
#include "tests/unit/agent/repository.h"
#include "tests/unit/agent/tiny_master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

enum { LINE_MAX_BYTES = 64 * 1024, RENEW_MS = 500 };

static struct tiny_master master = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct repository repository;

static void give_up(const char *what, const struct err *e) {
    fprintf(stderr, "scripted-master: %s: %s\n", what, e->text);
    exit(1);
}

/* Without the clock, which differs every time. */
static void print_report(const char *json, size_t length) {
    static char *before;
    struct wire_heartbeat h;
    struct text now = TEXT_EMPTY;
    if (!json_decode(&wire_heartbeat_schema, json, length, JSON_IGNORE_UNKNOWN, &h, NULL)) return;
    h.clock_ms = h.free_bytes = 0;
    json_encode(&wire_heartbeat_schema, &h, &now);
    json_clear(&wire_heartbeat_schema, &h);
    if (before == NULL || strcmp(before, now.data) != 0) {
        printf("report %s\n", now.data);
        fflush(stdout);
    }
    free(before);
    before = text_take(&now);
}

static void write_metadata(const char *directory) {
    struct err e = {0};
    char path[4096];
    OWN_FD int fd = memfd_create("root", MFD_CLOEXEC);
    repository_publish(&repository);
    repository_bridge(&repository, master.release, fd);
    for (size_t i = 0; i < repository.count; i++) {
        const struct repository_file *f = &repository.files[i];
        if (!file_join(path, sizeof path, directory, f->name, &e) ||
            !file_write_durable(path, f->bytes.data, f->bytes.length, 0644, &e))
            give_up(f->name, &e);
    }
}

/* "NAME", "NAME,yanked", "NAME,floor=VERSION". */
static void name_artifact(const char *given, const struct wire_artifact *a) {
    const char *option = strchr(given, ',');
    bool floor = option != NULL && strncmp(option, ",floor=", 7) == 0;
    repository_add(&repository, a->file, a->sha256, a->size_bytes, floor ? option + 7 : "",
                   option != NULL && !floor);
}

static void print_artifact(const char *path, const char *given) {
    char name[ARTIFACT_FILE_SIZE];
    struct err e = {0};
    struct artifact_name parts;
    struct wire_artifact a = {0};
    OWN_TEXT struct text signature = TEXT_EMPTY;
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, ","), given);
    if (fd < 0) err_errno(&e, errno, "open %s", path);
    if (fd < 0 || !artifact_name_parse(name, &parts, &e) ||
        !sha256_file(fd, a.sha256, &a.size_bytes, &e) ||
        !sign_file(master.release, fd, name, &signature, &e))
        give_up(name, &e);
    memcpy(a.version, parts.version, sizeof a.version);
    snprintf(a.file, sizeof a.file, "%s", name);
    a.signature = signature.data;
    name_artifact(given, &a);
    json_encode(&wire_artifact_schema, &a, &json);
    printf("artifact %s\n", json.data);
}

static void print_join(void) {
    char id[SECRET_ID_SIZE];
    char hash[SECRET_HASH_SIZE];
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct join join = {.host = "127.0.0.1",
                        .http_port = 1,
                        .bus_port = bus_server_port(master.bus),
                        .master_key = *sign_secret_public(master.key),
                        .release_key = *sign_secret_public(master.release)};
    secret_generate("gj", id, join.token, hash);
    join_format(&join, &line);
    printf("join %s\n", line.data);
}

static void desire(char *line) {
    pthread_mutex_lock(&master.lock);
    free(master.desired);
    master.desired = text_duplicate(line);
    pthread_mutex_unlock(&master.lock);
}

/* False at the end of the input. */
static bool take_line(int64_t patience_ms) {
    static char line[LINE_MAX_BYTES];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, (int)patience_ms) <= 0) return true;
    if (fgets(line, sizeof line, stdin) == NULL) return false;
    line[strcspn(line, "\n")] = '\0';
    desire(line);
    return true;
}

int main(int argc, char **argv) {
    struct err e = {0};
    if (argc < 2) return 2;
    sign_setup();
    setvbuf(stdin, NULL, _IONBF, 0);
    if (!tiny_open(&master, &e)) give_up("open", &e);
    atomic_store(&master.park, true);
    pthread_mutex_lock(&master.lock);
    master.reported = print_report;
    print_join();
    repository_open(&repository);
    for (int i = 2; i + 1 < argc; i += 2) print_artifact(argv[i], argv[i + 1]);
    write_metadata(argv[1]);
    fflush(stdout);
    pthread_mutex_unlock(&master.lock);
    while (take_line(RENEW_MS)) tiny_release(&master);
    tiny_close(&master);
    repository_close(&repository);
    return 0;
}
