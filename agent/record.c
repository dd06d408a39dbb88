#include "agent/record.h"

#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

#include <errno.h>
#include <string.h>

enum { PATH_SIZE = 4096, RECORD_MAX = 32 * 1024, NOTE_MAX = 4096 };

static const struct json_field record_fields[] = {
    J(JSON_INT, struct record, port, 0),      J(JSON_STRING, struct record, nonce, 0),
    J(JSON_STRING, struct record, sha256, 0), J(JSON_STRING, struct record, version, 0),
    J(JSON_INT, struct record, restarts, 0),  J(JSON_INT, struct record, restart_generation, 0),
    J(JSON_INT, struct record, user, 0),      J(JSON_STRINGS, struct record, sandbox, 0),
    J(JSON_INT, struct record, log_begin, 0), J_SUB(struct record, last_exit, &wire_exit_schema, 0),
};
static const struct json_schema record_schema = JSON_SCHEMA(struct record, record_fields);

static const struct json_field note_fields[] = {
    J(JSON_INT, struct node_note, pid, JSON_REQUIRED),
    J(JSON_INT, struct node_note, start_time, JSON_REQUIRED),
    J(JSON_STRING, struct node_note, boot_id, 0),
    J(JSON_STRING, struct node_note, sha256, 0),
    J(JSON_INT, struct node_note, port, 0),
    J(JSON_STRING, struct node_note, nonce, 0),
    J(JSON_STRING, struct node_note, id, 0),
    J(JSON_STRING, struct node_note, version, 0),
};
static const struct json_schema note_schema = JSON_SCHEMA(struct node_note, note_fields);

void record_load(const char *directory, struct record *out) {
    char path[PATH_SIZE];
    struct err e = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    *out = (struct record){0};
    if (!file_join(path, sizeof path, directory, "record.json", &e) || access(path, F_OK) != 0)
        return;
    if (file_read(path, RECORD_MAX, &json, &e) &&
        json_decode(&record_schema, text_value(&json), json.length, JSON_IGNORE_UNKNOWN, out, &e))
        return;
    log_warn("record.damaged", "path=%s error=%s", path, e.text);
}

bool record_save(const char *directory, const struct record *r, struct err *e) {
    char path[PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(&record_schema, r, &json);
    return file_join(path, sizeof path, directory, "record.json", e) &&
           file_write_durable(path, json.data, json.length, 0600, e);
}

void record_clear(struct record *r) {
    json_clear(&record_schema, r);
}

bool record_read_note(int lock_fd, struct node_note *out, struct err *e) {
    char line[NOTE_MAX];
    ssize_t length = pread(lock_fd, line, sizeof line, 0);
    if (length < 0) return err_errno(e, errno, "read the node's note");
    /* A node writes over the note before and cuts off what is left of that afterwards. */
    const char *end = memchr(line, '\n', (size_t)length);
    if (end != NULL) length = end - line;
    return json_decode(&note_schema, line, (size_t)length, JSON_IGNORE_UNKNOWN, out, e);
}
