/* What doctor makes of what it sees: each finding with its next step. */
#include "cli/doctor.h"
#include "cli/format.h"
#include "lib/artifact.h"
#include "lib/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_TOLERANCE_MS 30000
#define LOW_SPACE_PERCENT 5
#define LOW_SPACE_BYTES (INT64_C(1) << 30)
#define OLD_BACKUP_MS (INT64_C(7) * 24 * 3600 * 1000)
#define RENEWAL_MS (INT64_C(30) * 24 * 3600 * 1000) /* time to get a key out of its safe */
#define CERTIFICATE_MS                                                                             \
    (INT64_C(14) * 24 * 3600 * 1000) /* whoever renews them has done so before                     \
                                      */
#define RECENTLY_BEHIND_MS (INT64_C(7) * 24 * 3600 * 1000)
#define MOST_NAMED 5 /* of one kind; the rest is counted */

void doctor_add(struct doctor *d, const char *state, const char *check, const char *next,
                const char *format, ...) {
    if (d->count == DOCTOR_MAX_FINDINGS) return;
    struct finding *f = &d->findings[d->count++];
    snprintf(f->state, sizeof f->state, "%s", state);
    snprintf(f->check, sizeof f->check, "%s", check);
    snprintf(f->next, sizeof f->next, "%s", next);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->found, sizeof f->found, format, arguments);
    va_end(arguments);
}

bool doctor_failed(const struct doctor *d) {
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->findings[i].state, "fail") == 0) return true;
    return false;
}

static void examine_versions(struct doctor *d, const struct doctor_view *v) {
    const char *version = format_or(v->summary->version, "?");
    int64_t others = 0;
    const char *example = "";
    for (size_t i = 0; i < v->agent_count; i++) {
        const char *own = format_or(v->agents[i].agent_version, version);
        if (strcmp(own, version) == 0) continue;
        if (others++ == 0) example = own;
    }
    if (strcmp(version, v->own_version) != 0)
        doctor_add(d, "warn", "version", "use the same version of both",
                   "master is %s, gridctl is %s", version, v->own_version);
    else
        doctor_add(d, "ok", "version", "", "master and gridctl are %s", v->own_version);
    if (others > 0)
        doctor_add(d, "warn", "version", "install the master's version of grid-agent there",
                   "%lld of %zu agents are not %s like the master, but %s", (long long)others,
                   v->agent_count, version, example);
}

/* "ahead of" or "behind" ours. */
static void add_clock(struct doctor *d, int64_t ahead_ms, const char *whose, const char *ours) {
    char words[FORMAT_SIZE];
    doctor_add(d, "warn", "clock", "synchronize the clocks (NTP)", "%s clock is %s %s %s", whose,
               format_duration(ahead_ms < 0 ? -ahead_ms : ahead_ms, words),
               ahead_ms > 0 ? "ahead of" : "behind", ours);
}

static bool is_off(int64_t offset_ms) {
    return offset_ms > CLOCK_TOLERANCE_MS || offset_ms < -CLOCK_TOLERANCE_MS;
}

static void examine_clocks(struct doctor *d, const struct doctor_view *v) {
    int64_t theirs = v->facts != NULL ? clock_parse_rfc3339(format_or(v->facts->now, "")) : -1;
    size_t off = 0;
    bool known = theirs >= 0, good = known && !is_off(theirs - v->now_ms);
    if (known && !good) add_clock(d, theirs - v->now_ms, "the master's", "this machine's");
    for (size_t i = 0; i < v->agent_count; i++) {
        char whose[96];
        if (!is_off(v->agents[i].clock_offset_ms) || off++ >= MOST_NAMED) continue;
        snprintf(whose, sizeof whose, "%.80s's", v->agents[i].id);
        add_clock(d, v->agents[i].clock_offset_ms, whose, "the master's");
    }
    if (off > MOST_NAMED)
        doctor_add(d, "warn", "clock", "synchronize the clocks (NTP)", "%zu more clocks are off",
                   off - MOST_NAMED);
    if (good && off == 0) doctor_add(d, "ok", "clock", "", "master, agents and this machine agree");
}

static void examine_descriptors(struct doctor *d, const struct answer_facts *f) {
    if (f->descriptors_needed == 0) return; /* tokens with a scope are not told */
    bool enough = f->descriptors_needed <= f->descriptors_limit;
    if (f->descriptors_used * 10 > f->descriptors_limit * 9)
        doctor_add(d, "fail", "descriptors",
                   "LimitNOFILE= of its unit, or ulimit -n, and start the master again",
                   "the master uses %lld of %lld", (long long)f->descriptors_used,
                   (long long)f->descriptors_limit);
    else
        doctor_add(d, enough ? "ok" : "warn", "descriptors",
                   enough ? "" : "LimitNOFILE= of its unit, ulimit -n, or fewer --http-workers",
                   "the master uses %lld of %lld and may need %lld", (long long)f->descriptors_used,
                   (long long)f->descriptors_limit, (long long)f->descriptors_needed);
}

static void examine_disk(struct doctor *d, const struct answer_facts *f) {
    char words[FORMAT_SIZE];
    if (f->state_capacity_bytes <= 0) return;
    bool low = f->state_free_bytes < LOW_SPACE_BYTES ||
               f->state_free_bytes < f->state_capacity_bytes / 100 * LOW_SPACE_PERCENT;
    doctor_add(d, low ? "warn" : "ok", "disk",
               low ? "free some there, or move the state directory" : "", "%s free in %.160s",
               format_bytes(f->state_free_bytes, words), format_or(f->state_directory, "?"));
}

static void examine_keys(struct doctor *d, const struct answer_facts *f) {
    bool demanded = strcmp(format_or(f->require_signature, ""), "on") == 0;
    if (demanded && f->publishers == 0)
        doctor_add(d, "fail", "keys", "gridctl key trust FILE.pub",
                   "signatures of publishers are required, but no publisher is trusted");
    else
        doctor_add(d, "ok", "keys", "", "release key %.32s, %lld publishers trusted",
                   format_or(f->release_key_id, "?"), (long long)f->publishers);
    OWN_MEMORY char *list = text_duplicate(format_or(f->loose_files, ""));
    char *position = list;
    for (char *path; (path = strsep(&position, "\n")) != NULL;)
        if (path[0] != '\0')
            doctor_add(d, "fail", "keys", "chmod 600 it; if others have read it, make a new one",
                       "%.200s can be read by others", path);
}

/* True when something is wrong. */
static bool examine_role(struct doctor *d, const struct answer_role *r, int64_t now_ms) {
    int64_t expires = clock_parse_rfc3339(format_or(r->expires_at, ""));
    const char *name = format_or(r->name, "?");
    char words[FORMAT_SIZE];
    const char *next = r->signed_here ? "look for master.trust in the master's log"
                       : strcmp(name, "root") == 0
                           ? "where its keys are: gridctl key root, then publish"
                           : "where its keys are: gridctl key targets";
    if (expires < 0) return false;
    if (expires <= now_ms)
        doctor_add(d, "fail", "trust", next,
                   "the %.16s metadata expired %s: agents begin nothing new", name,
                   format_age(r->expires_at, now_ms, words));
    else if (!r->signed_here && expires - now_ms < RENEWAL_MS)
        doctor_add(d, "warn", "trust", next, "the %.16s metadata, signed elsewhere, expire in %s",
                   name, format_duration(expires - now_ms, words));
    else
        return false;
    return true;
}

static void examine_trust(struct doctor *d, const struct doctor_view *v) {
    const struct answer_facts *f = v->facts;
    OWN_TEXT struct text away = TEXT_EMPTY;
    char words[FORMAT_SIZE];
    bool wrong = false;
    for (size_t i = 0; i < f->metadata_count; i++) {
        wrong = examine_role(d, &f->metadata[i], v->now_ms) || wrong;
        if (!f->metadata[i].signed_here)
            text_add_format(&away, "%s%.16s", away.length > 0 ? " and " : "",
                            format_or(f->metadata[i].name, "?"));
    }
    if (!wrong && f->metadata_count > 0)
        doctor_add(d, "ok", "trust", "", "all metadata are fresh; %s%s",
                   away.length > 0 ? text_value(&away) : "all keys are on the master",
                   away.length > 0 ? " are signed elsewhere" : "");
    if (f->held > 0)
        doctor_add(d, "warn", "held", "gridctl binary held", "%s held, waiting for an approval",
                   format_count(f->held, "file", words));
    if (f->agents_without_root > 0)
        doctor_add(d, "warn", "trust", "gridctl key show names them: update them",
                   "%s without a trusted root",
                   format_count(f->agents_without_root, "agent", words));
}

static void examine_certificate(struct doctor *d, const struct doctor_view *v) {
    const struct answer_facts *f = v->facts;
    int64_t expires = clock_parse_rfc3339(format_or(f->certificate_expires_at, ""));
    const char *next = f->certificate_given ? "renew the files of --tls-cert and --tls-key"
                                            : "look for master.certificate in the master's log";
    char words[FORMAT_SIZE];
    if (expires < 0) return;
    if (f->bus_certificate_outdated)
        doctor_add(d, "warn", "certificate",
                   "restart the master; agents come back by themselves, nodes are not touched",
                   "that of the bus was changed on disk, and the bus shows the one before");
    if (expires <= v->now_ms)
        doctor_add(d, "fail", "certificate", next, "that of HTTPS expired %s",
                   format_age(f->certificate_expires_at, v->now_ms, words));
    else
        doctor_add(d, expires - v->now_ms < CERTIFICATE_MS ? "warn" : "ok", "certificate",
                   expires - v->now_ms < CERTIFICATE_MS ? next : "", "that of HTTPS expires in %s",
                   format_duration(expires - v->now_ms, words));
}

static void examine_behind(struct doctor *d, const struct doctor_view *v) {
    char age[FORMAT_SIZE];
    int64_t behind = clock_parse_rfc3339(format_or(v->facts->behind_at, ""));
    if (behind >= 0 && v->now_ms - behind <= RECENTLY_BEHIND_MS)
        doctor_add(d, "warn", "database",
                   "unless you restored a backup, its disk lost writes; do the last changes again",
                   "it was behind what agents knew %s",
                   format_age(v->facts->behind_at, v->now_ms, age));
}

static void examine_database(struct doctor *d, const struct doctor_view *v) {
    const struct answer_facts *f = v->facts;
    const char *database = format_or(f->database, "?");
    char age[FORMAT_SIZE];
    int64_t backup = clock_parse_rfc3339(format_or(f->last_backup_at, ""));
    bool sound = strcmp(database, "ok") == 0;
    doctor_add(d, sound ? "ok" : "fail", "database",
               sound ? "" : "stop the master, gridctl backup restore FILE", "%.200s",
               sound ? "every page is sound" : database);
    examine_behind(d, v);
    if (backup < 0)
        doctor_add(d, "warn", "backup", "gridctl backup create", "none in the last 30 days");
    else
        doctor_add(d, v->now_ms - backup > OLD_BACKUP_MS ? "warn" : "ok", "backup",
                   v->now_ms - backup > OLD_BACKUP_MS ? "gridctl backup create" : "",
                   "the last one was taken %s", format_age(f->last_backup_at, v->now_ms, age));
}

static void examine_facts(struct doctor *d, const struct doctor_view *v) {
    if (v->facts == NULL) return;
    examine_descriptors(d, v->facts);
    examine_disk(d, v->facts);
    examine_keys(d, v->facts);
    examine_trust(d, v);
    examine_certificate(d, v);
    examine_database(d, v);
}

/* Agents that could not do what they should, each with its reason. */
static void examine_updates(struct doctor *d, const struct doctor_view *v) {
    size_t failed = 0;
    for (size_t i = 0; i < v->agent_count; i++) {
        const struct answer_agent *a = &v->agents[i];
        char next[160];
        if (strcmp(format_or(a->update.state, ""), "failed") != 0 || failed++ >= MOST_NAMED)
            continue;
        snprintf(next, sizeof next, "gridctl agent why %.64s", a->id);
        doctor_add(d, "fail", "update", next, "%.64s stays with %.32s instead of %.32s: %.120s",
                   a->id, format_or(a->version, "nothing"), format_or(a->update.to, "?"),
                   format_or(a->update.reason, "no reason given"));
    }
    if (failed > MOST_NAMED)
        doctor_add(d, "fail", "update", "gridctl event tail --kind agent.update_failed",
                   "%zu more agents failed to update", failed - MOST_NAMED);
}

static void examine_conflicts(struct doctor *d, const struct doctor_view *v) {
    for (size_t i = 0; i < v->agent_count; i++) {
        const struct answer_agent *a = &v->agents[i];
        char next[160];
        if (format_or(a->conflict, "")[0] == '\0') continue;
        snprintf(next, sizeof next, "stop one of them, then gridctl agent approve %.64s", a->id);
        doctor_add(d, "fail", "clone", next, "%.64s: %.160s", a->id, a->conflict);
    }
}

static void examine_running(struct doctor *d, const struct answer_summary *s) {
    OWN_TEXT struct text list = TEXT_EMPTY;
    if (s->versions_count < 2) return;
    for (size_t i = 0; i < s->versions_count; i++)
        text_add_format(&list, "%s%s (%lld)", i > 0 ? ", " : "",
                        format_or(s->versions[i].version, "none"),
                        (long long)s->versions[i].agents);
    doctor_add(d, "warn", "running", "gridctl agent list; several channels, or a rollout under way",
               "storage-server %.200s", list.data);
}

static void examine_agent_disks(struct doctor *d, const struct doctor_view *v) {
    size_t low = 0;
    for (size_t i = 0; i < v->agent_count; i++) {
        const struct answer_agent *a = &v->agents[i];
        char words[FORMAT_SIZE];
        if (strcmp(format_or(a->status, ""), "up") != 0 || a->free_bytes >= LOW_SPACE_BYTES ||
            low++ >= MOST_NAMED)
            continue;
        doctor_add(d, "warn", "disk", "free some below its state directory",
                   "only %s free at agent %.64s", format_bytes(a->free_bytes, words), a->id);
    }
    if (low > MOST_NAMED)
        doctor_add(d, "warn", "disk", "gridctl agent list -o wide",
                   "%zu more agents are low on space", low - MOST_NAMED);
}

static void examine_channels(struct doctor *d, const struct answer_summary *s) {
    OWN_TEXT struct text list = TEXT_EMPTY;
    for (size_t i = 0; i < s->channels_count; i++) {
        const char *version = format_or(s->channels[i].version, "");
        if (version[0] == '\0') continue;
        const char *artifact = format_or(s->channels[i].artifact, ARTIFACT_DEFAULT_NAME);
        bool other = strcmp(artifact, ARTIFACT_DEFAULT_NAME) != 0;
        text_add_format(&list, "%s%s%s%s %s", list.length > 0 ? ", " : "", other ? artifact : "",
                        other ? " " : "", format_or(s->channels[i].name, "?"), version);
    }
    if (list.length > 0)
        doctor_add(d, "ok", "channel", "", "%s", list.data);
    else
        doctor_add(d, "warn", "channel", "gridctl channel set stable VERSION",
                   "no channel points to a version");
}

static void examine_binaries(struct doctor *d, const struct answer_summary *s) {
    char words[FORMAT_SIZE];
    if (s->binaries == 0)
        doctor_add(d, "warn", "binaries", "gridctl binary push FILE", "nothing is published");
    else
        doctor_add(d, "ok", "binaries", "", "%lld published", (long long)s->binaries);
    if (s->rejected > 0)
        doctor_add(d, "warn", "drop box", "gridctl binary list --rejected", "%s refused",
                   format_count(s->rejected, "file", words));
    examine_channels(d, s);
}

static void examine_agents(struct doctor *d, const struct answer_agent_counts *a) {
    int64_t all = a->up + a->suspect + a->lost + a->pending;
    if (all == 0)
        doctor_add(d, "warn", "agents", "gridctl agent join-command", "no machine has joined");
    else
        doctor_add(d, a->up > 0 ? "ok" : "fail", "agents", a->up > 0 ? "" : "gridctl agent list",
                   "%lld of %lld up", (long long)a->up, (long long)all);
    if (a->lost > 0)
        doctor_add(d, "fail", "agents", "gridctl agent list --filter status=lost", "%lld lost",
                   (long long)a->lost);
    if (a->suspect > 0)
        doctor_add(d, "warn", "agents", "gridctl agent list --filter status=suspect",
                   "%lld silent for some seconds", (long long)a->suspect);
    if (a->pending > 0)
        doctor_add(d, "warn", "agents", "gridctl agent approve ID", "%lld wait for approval",
                   (long long)a->pending);
}

static void examine_nodes(struct doctor *d, const struct answer_summary *s) {
    const struct answer_node_counts *n = &s->nodes;
    int64_t all = n->healthy + n->starting + n->unhealthy + n->backoff + n->stopped + n->draining;
    if (n->draining > 0)
        doctor_add(d, "ok", "nodes", "", "%lld of %lld healthy, %lld serve on while draining",
                   (long long)n->healthy, (long long)all, (long long)n->draining);
    else if (all > 0)
        doctor_add(d, "ok", "nodes", "", "%lld of %lld healthy", (long long)n->healthy,
                   (long long)all);
    if (n->unhealthy > 0)
        doctor_add(d, "fail", "nodes", "gridctl node list --filter state=unhealthy",
                   "%lld unhealthy", (long long)n->unhealthy);
    if (n->backoff > 0)
        doctor_add(d, "fail", "nodes", "gridctl node list --filter state=backoff",
                   "%lld keep ending and are started again", (long long)n->backoff);
    char words[FORMAT_SIZE];
    if (s->capacity_bytes > 0 && s->free_bytes * 100 / s->capacity_bytes < LOW_SPACE_PERCENT)
        doctor_add(d, "warn", "space", "gridctl node list", "only %s free in the whole grid",
                   format_bytes(s->free_bytes, words));
}

void doctor_examine(struct doctor *d, const struct doctor_view *v) {
    examine_versions(d, v);
    examine_clocks(d, v);
    examine_facts(d, v);
    examine_binaries(d, v->summary);
    examine_agents(d, &v->summary->agents);
    examine_conflicts(d, v);
    examine_updates(d, v);
    examine_running(d, v->summary);
    examine_agent_disks(d, v);
    examine_nodes(d, v->summary);
}
