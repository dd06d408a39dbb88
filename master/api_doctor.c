/* GET /api/doctor: what `gridctl doctor` cannot see from outside. Facts, no judgement. */
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/labels.h"
#include "master/api_system.h"
#include "master/master.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Descriptors beyond agents and HTTP workers: database, drop box, downloads, log. */
#define SPARE_DESCRIPTORS 128

struct fact_role {
    char name[16];
    char expires_at[CLOCK_RFC3339_SIZE];
    bool signed_here;
};
static const struct json_field role_fields[] = {
    J(JSON_STRING, struct fact_role, name, 0),
    J(JSON_STRING, struct fact_role, expires_at, 0),
    J(JSON_BOOL, struct fact_role, signed_here, 0),
};
static const struct json_schema role_schema = JSON_SCHEMA(struct fact_role, role_fields);

struct facts {
    char now[CLOCK_RFC3339_SIZE];
    int64_t descriptors_limit;
    int64_t descriptors_used, descriptors_needed; /* 0: would count agents outside the scope */
    char state_directory[PATH_MAX];
    int64_t state_free_bytes, state_capacity_bytes;
    char *loose_files; /* lines */
    char database[256];
    char last_backup_at[CLOCK_RFC3339_SIZE];
    char behind_at[CLOCK_RFC3339_SIZE];
    char release_key_id[SIGN_KEY_ID_HEX_SIZE];
    int64_t publishers;
    char require_signature[8];
    struct fact_role *metadata;
    size_t metadata_count;
    int64_t held, agents_without_root;
    char certificate_expires_at[CLOCK_RFC3339_SIZE]; /* of HTTPS; "" without TLS */
    bool certificate_given;
    bool bus_certificate_outdated;
};
static const struct json_field facts_fields[] = {
    J(JSON_STRING, struct facts, now, 0),
    J(JSON_INT, struct facts, descriptors_limit, 0),
    J(JSON_INT, struct facts, descriptors_used, JSON_OMIT_EMPTY),
    J(JSON_INT, struct facts, descriptors_needed, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct facts, state_directory, 0),
    J(JSON_INT, struct facts, state_free_bytes, 0),
    J(JSON_INT, struct facts, state_capacity_bytes, 0),
    J(JSON_STRINGS, struct facts, loose_files, 0),
    J(JSON_STRING, struct facts, database, 0),
    J(JSON_STRING, struct facts, last_backup_at, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct facts, behind_at, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct facts, release_key_id, 0),
    J(JSON_INT, struct facts, publishers, 0),
    J(JSON_STRING, struct facts, require_signature, 0),
    J_LIST(struct facts, metadata, &role_schema, 0),
    J(JSON_INT, struct facts, held, 0),
    J(JSON_INT, struct facts, agents_without_root, 0),
    J(JSON_STRING, struct facts, certificate_expires_at, JSON_OMIT_EMPTY),
    J(JSON_BOOL, struct facts, certificate_given, 0),
    J(JSON_BOOL, struct facts, bus_certificate_outdated, 0),
};
static const struct json_schema facts_schema = JSON_SCHEMA(struct facts, facts_fields);

static int64_t count_descriptors(void) {
    int64_t count = -1; /* without the one that reads the directory */
    DIR *open = opendir("/proc/self/fd");
    if (open == NULL) return 0;
    for (const struct dirent *entry; (entry = readdir(open)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static void fill_descriptors(const struct master *m, const char *scope, struct facts *f) {
    struct rlimit limit = {0};
    struct agents_summary now;
    getrlimit(RLIMIT_NOFILE, &limit);
    f->descriptors_limit = limit.rlim_cur > JSON_INT_MAX ? JSON_INT_MAX : (int64_t)limit.rlim_cur;
    if (scope[0] != '\0') return;
    agents_summarize(m->agents, "", &now);
    f->descriptors_used = count_descriptors();
    f->descriptors_needed = m->settings->http_workers + SPARE_DESCRIPTORS;
    for (int i = 0; i < AGENT_STATUS_COUNT; i++) f->descriptors_needed += now.status[i];
}

/* Files with secrets that others than the master's user may read. */
static void fill_loose_files(const struct master *m, struct text *out) {
    static const char *const secrets[] = {
        "admin.token",   "grid.db",          "keys/master.key",   "keys/release.key",
        "keys/root.key", "keys/targets.key", "keys/snapshot.key", "keys/timestamp.key",
        "tls/ca.key",    "tls/http.pem",     "tls/bus.pem",       "tls/given.pem"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        char path[PATH_MAX];
        struct stat status;
        if (!file_join(path, sizeof path, m->settings->state, secrets[i], NULL) ||
            stat(path, &status) != 0 || (status.st_mode & 077) == 0)
            continue;
        text_add_format(out, "%s%s", out->length > 0 ? "\n" : "", path);
    }
}

static bool take_verdict(struct db_row *row, void *argument, struct err *e) {
    struct facts *f = argument;
    (void)e;
    snprintf(f->database, sizeof f->database, "%s", db_column_text(row, 0));
    return true;
}

static bool check_database(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_QUICK_CHECK, take_verdict, argument, e, "");
}

/* When the newest event of this kind happened; "" when none is kept. */
static void fill_when(const struct master *m, const char *kind, char out[CLOCK_RFC3339_SIZE]) {
    struct event *list = NULL;
    size_t count = 0;
    int64_t first = 0;
    struct err e;
    if (!events_list(m->events, -1, kind, NULL, 1, &list, &count, &first, &e)) return;
    if (count > 0) snprintf(out, CLOCK_RFC3339_SIZE, "%s", list[0].at);
    json_clear_list(&event_schema, list, count);
}

static void fill_database(const struct master *m, struct facts *f) {
    struct err e;
    if (!db_read(m->db, check_database, f, &e))
        snprintf(f->database, sizeof f->database, "%s", e.text);
    fill_when(m, "backup.created", f->last_backup_at);
    fill_when(m, "master.behind", f->behind_at);
}

static void fill_keys(const struct master *m, struct facts *f) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    sign_key_id(keys_release(m->keys), f->release_key_id);
    f->publishers = (int64_t)keys_publishers(m->keys, publishers);
    snprintf(f->require_signature, sizeof f->require_signature, "%s",
             m->settings->require_signature);
}

struct root_count {
    const char *scope;
    int64_t agents;
};

static bool count_without_root(const struct agent_view *agent, void *argument) {
    struct root_count *count = argument;
    count->agents += agent->admission == ADMISSION_ADMITTED && agent->report.trust.root == 0 &&
                     labels_match(agent->labels, count->scope);
    return true;
}

static void fill_trust(const struct master *m, const char *scope, struct facts *f,
                       struct fact_role roles[TUF_ROLE_COUNT]) {
    struct repo_status status;
    struct root_count without_root = {.scope = scope};
    struct err e;
    repo_status(m->repo, &status);
    for (int i = 0; i < TUF_ROLE_COUNT; i++) {
        snprintf(roles[i].name, sizeof roles[i].name, "%s", tuf_role_name((enum tuf_role_kind)i));
        clock_rfc3339(status.headings[i].expires_ms, roles[i].expires_at);
        roles[i].signed_here = status.signs[i];
    }
    f->metadata = roles;
    f->metadata_count = TUF_ROLE_COUNT;
    if (!held_count(m->db, &f->held, &e)) f->held = -1;
    agents_visit(m->agents, count_without_root, &without_root);
    f->agents_without_root = without_root.agents;
}

static void fill_certificate(const struct master *m, struct facts *f) {
    if (m->certificates == NULL) return;
    clock_rfc3339(certificates_http_expires_ms(m->certificates), f->certificate_expires_at);
    f->certificate_given = m->settings->tls_certificate[0] != '\0';
    f->bus_certificate_outdated = certificates_bus_outdated(m->certificates);
}

static void fill_disk(const struct master *m, struct facts *f) {
    const char *state = m->settings->state;
    OWN_MEMORY char *absolute = realpath(state, NULL);
    struct err ignored;
    snprintf(f->state_directory, sizeof f->state_directory, "%s",
             absolute != NULL ? absolute : state);
    if (!file_free_bytes(state, &f->state_free_bytes, &ignored) ||
        !file_capacity_bytes(state, &f->state_capacity_bytes, &ignored))
        f->state_free_bytes = f->state_capacity_bytes = -1;
}

void api_doctor(struct http_request *r) {
    static const char *const nothing[] = {NULL};
    const struct master *m = master_of(r);
    OWN_MEMORY struct facts *f = memory_zeroed(1, sizeof *f);
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text loose = TEXT_EMPTY;
    struct fact_role roles[TUF_ROLE_COUNT] = {0};
    struct err e;
    if (!http_query_only(r, nothing, &e)) {
        http_reply_err(r, &e);
        return;
    }
    fill_descriptors(m, http_scope(r), f);
    fill_disk(m, f);
    fill_loose_files(m, &loose);
    fill_database(m, f);
    fill_keys(m, f);
    fill_trust(m, http_scope(r), f, roles);
    fill_certificate(m, f);
    f->loose_files = loose.data;
    clock_rfc3339(clock_wall_ms(), f->now);
    json_encode(&facts_schema, f, &json);
    http_reply_json(r, 200, text_value(&json), json.length);
}
