#include "lib/db_archive.h"
#include "lib/db_internal.h"
#include "lib/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRY_MAX_BYTES INT64_C(900000000)
#define PIECE_BYTES (256 * 1024)

struct db_archive {
    struct db_connection *connection;
    char *path;
    bool unfinished; /* being written: closing removes the file */
};

/* What a row of the table says about a file. */
struct entry {
    sqlite3_int64 row_id;
    char *name;
    int64_t mode; /* with the type's bits, as in st_mode */
    int64_t size_bytes;
    int64_t stored_bytes;
};

static void entry_fini(struct entry *entry) {
    free(entry->name);
}
#define OWN_ENTRY __attribute__((cleanup(entry_fini)))

static void blob_close(sqlite3_blob **blob) {
    sqlite3_blob_close(*blob);
}
#define OWN_BLOB __attribute__((cleanup(blob_close)))

static void statement_close(sqlite3_stmt **statement) {
    sqlite3_finalize(*statement);
}
#define OWN_STATEMENT __attribute__((cleanup(statement_close)))

static bool prepare(struct db_archive *a, const char *sql, sqlite3_stmt **out, struct err *e) {
    return sqlite3_prepare_v2(a->connection->handle, sql, -1, out, NULL) == SQLITE_OK ||
           db_fail(a->connection, e);
}

static struct db_archive *new_archive(const char *path) {
    struct db_archive *a = memory_zeroed(1, sizeof *a);
    a->path = text_duplicate(path);
    return a;
}

bool db_archive_create(struct db_archive **out, const char *path, struct err *e) {
    OWN(db_archive) struct db_archive *a = new_archive(path);
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(e, errno, "create archive %s", path);
    a->unfinished = true;
    if (!db_connection_open(&a->connection, a->path, false, e) ||
        !db_connection_run(
            a->connection,
            "PRAGMA synchronous=FULL; BEGIN IMMEDIATE;"
            "CREATE TABLE sqlar(name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)",
            e))
        return false;
    *out = TAKE(a);
    return true;
}

static bool insert_entry(struct db_archive *a, const char *name, const struct stat *file,
                         struct err *e) {
    OWN_STATEMENT sqlite3_stmt *statement = NULL;
    if (!prepare(a, "INSERT INTO sqlar VALUES(?1, ?2, ?3, ?4, zeroblob(?4))", &statement, e))
        return false;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)file->st_mode);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)file->st_mtime);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)file->st_size);
    return sqlite3_step(statement) == SQLITE_DONE || db_fail(a->connection, e);
}

static bool open_blob(struct db_archive *a, sqlite3_int64 row_id, int writable, sqlite3_blob **out,
                      struct err *e) {
    return sqlite3_blob_open(a->connection->handle, "main", "sqlar", "data", row_id, writable,
                             out) == SQLITE_OK ||
           db_fail(a->connection, e);
}

/* A file that became shorter is not taken for what it was. */
static bool read_piece(int fd, void *out, size_t length, int64_t offset, struct err *e) {
    ssize_t got = file_read_at(fd, out, length, offset);
    if (got < 0) return err_errno(e, errno, "read");
    return (size_t)got == length || err_set(e, ERR_IO, "became shorter while it was read");
}

static size_t piece_at(int64_t offset, int64_t size_bytes) {
    int64_t left = size_bytes - offset;
    assert(offset >= 0 && left > 0);
    return left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
}

static bool fill_blob(struct db_archive *a, int fd, int64_t size_bytes, struct err *e) {
    OWN_BLOB sqlite3_blob *blob = NULL;
    OWN_MEMORY char *piece = memory_zeroed(1, PIECE_BYTES);
    if (!open_blob(a, sqlite3_last_insert_rowid(a->connection->handle), 1, &blob, e)) return false;
    for (int64_t offset = 0; offset < size_bytes; offset += PIECE_BYTES) {
        size_t length = piece_at(offset, size_bytes);
        if (!read_piece(fd, piece, length, offset, e)) return false;
        if (sqlite3_blob_write(blob, piece, (int)length, (int)offset) != SQLITE_OK)
            return db_fail(a->connection, e);
    }
    return true;
}

static bool add_open_file(struct db_archive *a, const char *name, int fd, struct err *e) {
    struct stat file;
    if (fstat(fd, &file) != 0) return err_errno(e, errno, "stat");
    if (!S_ISREG(file.st_mode)) return err_set(e, ERR_INVALID, "not a regular file");
    if (file.st_size > ENTRY_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE, "%lld bytes, an archive's entry holds at most %lld",
                       (long long)file.st_size, (long long)ENTRY_MAX_BYTES);
    return insert_entry(a, name, &file, e) && fill_blob(a, fd, file.st_size, e);
}

bool db_archive_add(struct db_archive *a, const char *name, const char *source_path,
                    struct err *e) {
    assert(a->unfinished); /* db_archive_create's, and not finished yet */
    OWN_FD int fd = open(source_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_errno(e, errno, "archive %s: open %s", a->path, source_path);
    if (!db_connection_run(a->connection, "SAVEPOINT entry", e)) return false;
    if (add_open_file(a, name, fd, e)) return db_connection_run(a->connection, "RELEASE entry", e);
    sqlite3_exec(a->connection->handle, "ROLLBACK TO entry; RELEASE entry", NULL, NULL, NULL);
    return err_wrap(e, "archive %s: add %s", a->path, source_path);
}

bool db_archive_finish(struct db_archive *a, struct err *e) {
    assert(a->unfinished);
    if (!db_connection_run(a->connection, "COMMIT", e) || !file_sync_parent(a->path, e))
        return false;
    a->unfinished = false;
    return true;
}

static bool check_archive(struct db_archive *a, struct err *e) {
    OWN_STATEMENT sqlite3_stmt *statement = NULL;
    if (!db_connection_check(a->connection, e)) {
        if (sqlite3_errcode(a->connection->handle) != SQLITE_NOTADB) return false;
    } else if (prepare(a, "SELECT name, mode, mtime, sz, data FROM sqlar", &statement, e)) {
        return true;
    } else if (e->code == ERR_CORRUPT || e->code == ERR_IO) {
        return false;
    }
    return err_set(e, ERR_INVALID, "%s is not an archive of SQLite's kind (no table sqlar)",
                   a->path);
}

bool db_archive_open(struct db_archive **out, const char *path, struct err *e) {
    OWN(db_archive) struct db_archive *a = new_archive(path);
    struct err why;
    if (access(path, R_OK) != 0) return err_errno(e, errno, "open archive %s", path);
    if (!db_connection_open(&a->connection, a->path, true, &why) || !check_archive(a, &why)) {
        if (e != NULL) *e = why;
        return false;
    }
    *out = TAKE(a);
    return true;
}

#define ENTRY_COLUMNS "rowid, name, mode, sz, length(data)"

static void read_entry(sqlite3_stmt *row, struct entry *out) {
    const char *name = (const char *)sqlite3_column_text(row, 1);
    *out = (struct entry){
        .row_id = sqlite3_column_int64(row, 0),
        .name = text_duplicate(name != NULL ? name : ""),
        .mode = sqlite3_column_int64(row, 2),
        .size_bytes = sqlite3_column_int64(row, 3),
        .stored_bytes = sqlite3_column_int64(row, 4),
    };
}

/* Others' archives may hold directories, links and compressed files; ours never do, and a restore
 * must not meet them. */
static bool check_entry(const struct db_archive *a, const struct entry *entry, struct err *e) {
    if (!S_ISREG((mode_t)entry->mode))
        return err_set(e, ERR_INVALID, "archive %s: %s is not a regular file", a->path,
                       entry->name);
    if (entry->size_bytes != entry->stored_bytes)
        return err_set(e, ERR_INVALID, "archive %s: %s is compressed (%lld bytes stored for %lld)",
                       a->path, entry->name, (long long)entry->stored_bytes,
                       (long long)entry->size_bytes);
    return true;
}

bool db_archive_list(struct db_archive *a, db_archive_entry *entry, void *argument, struct err *e) {
    OWN_STATEMENT sqlite3_stmt *rows = NULL;
    if (!prepare(a, "SELECT " ENTRY_COLUMNS " FROM sqlar ORDER BY name", &rows, e)) return false;
    int result = SQLITE_DONE;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
        OWN_ENTRY struct entry found = {0};
        read_entry(rows, &found);
        if (!check_entry(a, &found, e) ||
            !entry(found.name, (mode_t)(found.mode & 07777), found.size_bytes, argument, e))
            return false;
    }
    return result == SQLITE_DONE || db_fail(a->connection, e);
}

static bool find_entry(struct db_archive *a, const char *name, struct entry *out, struct err *e) {
    OWN_STATEMENT sqlite3_stmt *row = NULL;
    if (!prepare(a, "SELECT " ENTRY_COLUMNS " FROM sqlar WHERE name = ?1", &row, e)) return false;
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int result = sqlite3_step(row);
    if (result == SQLITE_DONE)
        return err_set(e, ERR_NOT_FOUND, "archive %s holds no %s", a->path, name);
    if (result != SQLITE_ROW) return db_fail(a->connection, e);
    read_entry(row, out);
    return check_entry(a, out, e);
}

static bool drain_blob(struct db_archive *a, const struct entry *entry, int fd, struct err *e) {
    OWN_BLOB sqlite3_blob *blob = NULL;
    OWN_MEMORY char *piece = memory_zeroed(1, PIECE_BYTES);
    if (!open_blob(a, entry->row_id, 0, &blob, e)) return false;
    for (int64_t offset = 0; offset < entry->size_bytes; offset += PIECE_BYTES) {
        size_t length = piece_at(offset, entry->size_bytes);
        if (sqlite3_blob_read(blob, piece, (int)length, (int)offset) != SQLITE_OK)
            return db_fail(a->connection, e);
        if (!file_write_all(fd, piece, length)) return err_errno(e, errno, "write");
    }
    return true;
}

static bool extract_into(struct db_archive *a, const struct entry *entry, const char *part,
                         const char *target_path, struct err *e) {
    OWN_FD int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(e, errno, "create %s", part);
    if (fchmod(fd, (mode_t)(entry->mode & 0777)) == 0 && drain_blob(a, entry, fd, e) &&
        file_publish(fd, part, target_path, e))
        return true;
    unlink(part);
    return err_wrap(e, "extract %s", target_path);
}

bool db_archive_extract(struct db_archive *a, const char *name, const char *target_path,
                        struct err *e) {
    OWN_ENTRY struct entry entry = {0};
    OWN_TEXT struct text part = TEXT_EMPTY;
    struct stat there;
    if (!find_entry(a, name, &entry, e)) return false;
    if (lstat(target_path, &there) == 0) return err_errno(e, EEXIST, "extract %s", target_path);
    text_add_format(&part, "%s.part", target_path);
    return extract_into(a, &entry, text_value(&part), target_path, e);
}

void db_archive_close(struct db_archive *a) {
    if (a == NULL) return;
    db_connection_close(a->connection);
    if (a->unfinished) unlink(a->path);
    free(a->path);
    free(a);
}
