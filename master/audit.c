#include "master/audit.h"

#include "lib/audit_chain.h"
#include "lib/clock.h"
#include "master/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct json_field fields[] = {
    J(JSON_INT, struct audit_entry, seq, 0),          J(JSON_STRING, struct audit_entry, at, 0),
    J(JSON_STRING, struct audit_entry, principal, 0), J(JSON_STRING, struct audit_entry, action, 0),
    J(JSON_STRING, struct audit_entry, subject, 0),   J(JSON_RAW, struct audit_entry, data, 0),
    J(JSON_STRING, struct audit_entry, hash, 0),
};
const struct json_schema audit_entry_schema = JSON_SCHEMA(struct audit_entry, fields);

static const struct {
    const char *event, *action;
} actions[] = {
    {"agent.approved",         "agent.approve"        },
    {"agent.channel",          "agent.set_channel"    },
    {"agent.enrolled",         "agent.enroll"         },
    {"agent.labelled",         "agent.label"          },
    {"agent.mode",             "agent.set_mode"       },
    {"agent.pinned",           "agent.pin"            },
    {"agent.removed",          "agent.remove"         },
    {"agent.revoked",          "agent.revoke"         },
    {"agent.unpinned",         "agent.unpin"          },
    {"backup.created",         "backup.create"        },
    {"binary.deleted",         "binary.delete"        },
    {"binary.discarded",       "binary.discard"       },
    {"binary.held",            "binary.hold"          },
    {"binary.left_out",        "binary.leave_out"     },
    {"binary.published",       "binary.publish"       },
    {"binary.yanked",          "binary.yank"          },
    {"channel.set",            "channel.set"          },
    {"key.removed",            "key.remove"           },
    {"key.trusted",            "key.trust"            },
    {"node.restart_requested", "node.restart"         },
    {"token.created",          "token.create"         },
    {"token.revoked",          "token.revoke"         },
    {"trust.behind",           "trust.catch_up"       },
    {"trust.root",             "trust.publish_root"   },
    {"trust.rotated",          "trust.rotate"         },
    {"trust.targets",          "trust.publish_targets"},
    {"user.created",           "user.create"          },
    {"user.invited",           "user.invite"          },
    {"user.locked_out",        "user.lock_out"        },
    {"user.login",             "user.login"           },
    {"user.logout",            "user.logout"          },
    {"user.removed",           "user.remove"          },
};

const char *audit_action_of(const char *event) {
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].event, event) == 0) return actions[i].action;
    return event;
}

static bool take_hash(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    text_cut(argument, SHA256_HEX_SIZE, db_column_text(row, 0));
    return true;
}

bool audit_add(struct db_connection *c, const char *principal, const char *action,
               const char *subject, const char *data_json, struct err *e) {
    char before[SHA256_HEX_SIZE] = "", hash[SHA256_HEX_SIZE];
    int64_t now_ms = clock_wall_ms();
    const char *data = data_json != NULL ? data_json : "{}";
    const struct audit_row row = {now_ms, principal, action, subject, data};
    if (!db_query(c, Q_AUDIT_LAST_HASH, take_hash, before, e, "")) return false;
    audit_chain_hash(before, &row, hash);
    return db_exec(c, Q_AUDIT_INSERT, e, "isssss", now_ms, principal, action, subject, data, hash);
}

bool audit_add_version(struct db_connection *c, const char *principal, const char *action,
                       const char *subject, const char *version, struct err *e) {
    OWN_TEXT struct text data = TEXT_EMPTY;
    text_add(&data, "{\"version\":");
    json_quote(version, &data);
    text_add(&data, "}");
    return audit_add(c, principal, action, subject, data.data, e);
}

struct listing {
    const struct audit_filter *filter;
    int64_t before, limit;
    struct audit_entry *entries;
    size_t count;
};

static bool take_entry(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    (void)e;
    l->entries = memory_resize(l->entries, l->count + 1, sizeof *l->entries);
    struct audit_entry *entry = &l->entries[l->count++];
    *entry = (struct audit_entry){.seq = db_column_int(row, 0)};
    clock_rfc3339(db_column_int(row, 1), entry->at);
    text_cut(entry->principal, sizeof entry->principal, db_column_text(row, 2));
    text_cut(entry->action, sizeof entry->action, db_column_text(row, 3));
    text_cut(entry->subject, sizeof entry->subject, db_column_text(row, 4));
    entry->data = text_duplicate(db_column_text(row, 5));
    text_cut(entry->hash, sizeof entry->hash, db_column_text(row, 6));
    return true;
}

static bool read_entries(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    const struct audit_filter *f = l->filter;
    return db_query(c, Q_AUDIT_LIST, take_entry, l, e, "sssii", f->principal, f->action, f->subject,
                    l->before, l->limit);
}

static bool list_by(struct db *db, db_operation *read, struct listing *l, struct audit_entry **out,
                    size_t *count, struct err *e) {
    if (!db_read(db, read, l, e)) {
        json_clear_list(&audit_entry_schema, l->entries, l->count);
        return false;
    }
    *out = l->entries;
    *count = l->count;
    return true;
}

bool audit_list(struct db *db, const struct audit_filter *filter, int64_t before, int64_t limit,
                struct audit_entry **out, size_t *count, struct err *e) {
    struct listing l = {.filter = filter, .before = before, .limit = limit};
    return list_by(db, read_entries, &l, out, count, e);
}

static bool read_since(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    const struct audit_filter *f = l->filter;
    return db_query(c, Q_AUDIT_SINCE, take_entry, l, e, "sssii", f->principal, f->action,
                    f->subject, l->before, l->limit);
}

bool audit_since(struct db *db, const struct audit_filter *filter, int64_t since, int64_t limit,
                 struct audit_entry **out, size_t *count, struct err *e) {
    struct listing l = {.filter = filter, .before = since, .limit = limit};
    return list_by(db, read_since, &l, out, count, e);
}

static bool take_count(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    (void)e;
    l->count = (size_t)db_column_int(row, 0);
    return true;
}

static bool read_count(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    const struct audit_filter *f = l->filter;
    return db_query(c, Q_AUDIT_COUNT, take_count, l, e, "sss", f->principal, f->action, f->subject);
}

bool audit_count(struct db *db, const struct audit_filter *filter, size_t *count, struct err *e) {
    struct listing l = {.filter = filter};
    if (!db_read(db, read_count, &l, e)) return false;
    *count = l.count;
    return true;
}

static bool check_row(struct db_row *row, void *argument, struct err *e) {
    char *before = argument, hash[SHA256_HEX_SIZE];
    const struct audit_row of = {db_column_int(row, 1), db_column_text(row, 2),
                                 db_column_text(row, 3), db_column_text(row, 4),
                                 db_column_text(row, 5)};
    audit_chain_hash(before, &of, hash);
    memcpy(before, hash, sizeof hash);
    if (strcmp(hash, db_column_text(row, 6)) == 0) return true;
    err_set(e, ERR_CORRUPT, "audit row %" PRId64 " or one before it was altered",
            db_column_int(row, 0));
    return err_hint(e, "compare with a backup: gridctl backup create makes one");
}

static bool check_all(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_AUDIT_ANCHOR, take_hash, argument, e, "") &&
           db_query(c, Q_AUDIT_ALL, check_row, argument, e, "");
}

bool audit_check(struct db *db, struct err *e) {
    char before[SHA256_HEX_SIZE] = "";
    return db_read(db, check_all, before, e);
}
