#include "master/uploads.h"

#include "tests/unit/master/binaries_fixture.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/statvfs.h>

/* Free space as the master sees it, while it is set. */
static atomic_llong pretended_free_bytes = -1;

int statvfs(const char *path, struct statvfs *out) {
    (void)path;
    long long unused = atomic_load(&pretended_free_bytes);
    *out = (struct statvfs){.f_frsize = 1,
                            .f_blocks = UINT64_C(1) << 50,
                            .f_bavail = unused >= 0 ? (uint64_t)unused : UINT64_C(1) << 50};
    return 0;
}

struct client {
    const char *bytes;
    size_t length;   /* of bytes: what it will send */
    bool disappears; /* after that */
    size_t sent;
    void (*meanwhile)(struct client *); /* runs before the first byte */
    struct uploads *uploads;
    char sha256[SHA256_HEX_SIZE];
};

static bool send_some(void *context, void *out, size_t size, size_t *length, struct err *e) {
    struct client *c = context;
    if (c->meanwhile != NULL) c->meanwhile(c);
    c->meanwhile = NULL;
    size_t left = c->length - c->sent;
    *length = left < size ? left : size;
    if (*length > 3) *length = 3; /* small steps */
    if (left == 0 && c->disappears) return err_set(e, ERR_INVALID, "the body ended early");
    memcpy(out, c->bytes + c->sent, *length);
    c->sent += *length;
    return true;
}

struct result {
    bool taken, complete;
    int64_t offset;
    struct staged staged;
    struct err error;
};

static struct result take(struct uploads *u, const struct upload_piece *piece, struct client *c) {
    struct result r = {0};
    int64_t length = (int64_t)c->length;
    r.taken =
        uploads_take(u, piece, length, send_some, c, &r.complete, &r.offset, &r.staged, &r.error);
    return r;
}

static const char words[] = "0123456789abcdef";
#define TOTAL ((int64_t)sizeof words - 1)

static void digest_of(const char *bytes, size_t length, char out[SHA256_HEX_SIZE]) {
    OWN(sha256) struct sha256 *h = sha256_begin();
    sha256_add(h, bytes, length);
    sha256_hex(h, out);
}

/* Sends words [first, end) as a piece of the whole. */
static struct result send_piece(struct uploads *u, int64_t first, int64_t end) {
    char sha256[SHA256_HEX_SIZE];
    digest_of(words, sizeof words - 1, sha256);
    struct client c = {.bytes = words + first, .length = (size_t)(end - first)};
    const struct upload_piece piece = {.sha256 = sha256, .first = first, .total = TOTAL};
    return take(u, &piece, &c);
}

static int64_t offset_of(struct uploads *u) {
    struct err error = {0};
    char sha256[SHA256_HEX_SIZE];
    int64_t offset = -1;
    digest_of(words, sizeof words - 1, sha256);
    assert_ok(uploads_offset(u, sha256, &offset, &error));
    return offset;
}

static void holds_words(struct result *r) {
    char content[sizeof words] = "";
    assert_true(r->taken);
    assert_true(r->complete);
    assert_int_equal(r->staged.size_bytes, TOTAL);
    assert_int_equal(pread(r->staged.fd, content, sizeof content, 0), TOTAL);
    assert_string_equal(content, words);
    catalog_unstage(&r->staged);
}

static struct uploads *open_uploads(struct fixture *f) {
    struct err error = {0};
    struct uploads *u = NULL;
    assert_ok(uploads_open(&u, f->state, f->catalog, &error));
    return u;
}

static size_t files_in(struct fixture *f, const char *name) {
    char path[PATH_MAX];
    struct err error = {0};
    size_t count = 0;
    assert_ok(file_join(path, sizeof path, f->state, name, &error));
    DIR *directory = opendir(path);
    assert_non_null(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void a_whole_body_is_staged(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    char sha256[SHA256_HEX_SIZE];
    struct client c = {.bytes = words, .length = sizeof words - 1};
    const struct upload_piece whole = {.sha256 = NULL, .total = -1};
    struct result r = take(u, &whole, &c);
    digest_of(words, sizeof words - 1, sha256);
    assert_string_equal(r.staged.sha256, sha256);
    holds_words(&r);
}

static void a_cut_body_of_unknown_digest_leaves_nothing(void **state) {
    struct fixture *f = *state;
    OWN(uploads) struct uploads *u = open_uploads(f);
    struct client c = {.bytes = words, .length = 5, .disappears = true};
    const struct upload_piece whole = {.sha256 = NULL, .total = -1};
    struct result r = take(u, &whole, &c);
    assert_false(r.taken);
    assert_int_equal(r.staged.fd, -1);
    assert_int_equal(files_in(f, "staging"), 0);
    assert_int_equal(files_in(f, "uploads"), 0);
}

static void pieces_become_the_whole(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    struct result r = send_piece(u, 0, 4);
    assert_true(r.taken);
    assert_false(r.complete);
    assert_int_equal(r.offset, 4);
    assert_int_equal(offset_of(u), 4);
    r = send_piece(u, 4, 5);
    assert_int_equal(r.offset, 5);
    r = send_piece(u, 5, TOTAL);
    holds_words(&r);
    assert_int_equal(offset_of(u), 0);
}

static void a_piece_begins_where_the_last_ended(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    (void)send_piece(u, 0, 4);
    struct result r = send_piece(u, 6, 8);
    assert_false(r.taken);
    assert_int_equal(r.error.code, ERR_CONFLICT);
    assert_int_equal(r.offset, 4);
    r = send_piece(u, 0, 4); /* the answer to it was lost */
    assert_int_equal(r.error.code, ERR_CONFLICT);
    assert_int_equal(offset_of(u), 4);
}

static void what_came_before_a_client_left_is_kept_over_a_restart(void **state) {
    struct fixture *f = *state;
    struct uploads *u = open_uploads(f);
    struct client c = {.bytes = words, .length = 7, .disappears = true};
    const struct upload_piece piece = {.sha256 = c.sha256, .total = TOTAL};
    digest_of(words, sizeof words - 1, c.sha256);
    struct result r = take(u, &piece, &c);
    assert_false(r.taken);
    assert_int_equal(r.offset, 7);
    uploads_close(u);
    u = open_uploads(f);
    assert_int_equal(offset_of(u), 7);
    r = send_piece(u, 7, TOTAL);
    holds_words(&r);
    uploads_close(u);
}

static void a_whole_body_replaces_what_was_begun(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    struct client c = {.bytes = words, .length = sizeof words - 1};
    const struct upload_piece whole = {.sha256 = c.sha256, .total = -1};
    (void)send_piece(u, 0, 4);
    digest_of(words, sizeof words - 1, c.sha256);
    struct result r = take(u, &whole, &c);
    holds_words(&r);
}

static void other_bytes_than_promised_are_thrown_away(void **state) {
    struct fixture *f = *state;
    OWN(uploads) struct uploads *u = open_uploads(f);
    struct client c = {.bytes = "0123456789abcdeX", .length = sizeof words - 1};
    const struct upload_piece whole = {.sha256 = c.sha256, .total = TOTAL};
    digest_of(words, sizeof words - 1, c.sha256);
    struct result r = take(u, &whole, &c);
    assert_false(r.taken);
    assert_false(r.complete);
    assert_int_equal(r.error.code, ERR_UNTRUSTED);
    assert_int_equal(offset_of(u), 0);
    assert_int_equal(files_in(f, "staging"), 0);
}

static void try_too(struct client *c) {
    struct client other = {.bytes = words, .length = sizeof words - 1};
    const struct upload_piece whole = {.sha256 = c->sha256, .total = -1};
    struct result r = take(c->uploads, &whole, &other);
    assert_false(r.taken);
    assert_int_equal(r.error.code, ERR_CONFLICT);
    assert_int_equal(other.sent, 0);
}

static void one_writes_an_upload_at_a_time(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    struct client c = {
        .bytes = words, .length = sizeof words - 1, .uploads = u, .meanwhile = try_too};
    const struct upload_piece whole = {.sha256 = c.sha256, .total = TOTAL};
    digest_of(words, sizeof words - 1, c.sha256);
    struct result r = take(u, &whole, &c);
    assert_null(c.meanwhile); /* it did try */
    holds_words(&r);
}

static void refused_unread(struct uploads *u, const struct upload_piece *piece, int64_t length,
                           enum err_code code) {
    struct client c = {.bytes = words, .length = sizeof words - 1};
    struct staged staged;
    struct err e = {0};
    bool complete;
    int64_t offset;
    assert_false(uploads_take(u, piece, length, send_some, &c, &complete, &offset, &staged, &e));
    assert_string_equal(err_code_name(e.code), err_code_name(code));
    assert_int_equal(c.sent, 0);
}

static void what_cannot_be_is_refused_unread(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    char sha256[SHA256_HEX_SIZE];
    digest_of(words, sizeof words - 1, sha256);
    refused_unread(u, &(struct upload_piece){NULL, 4, TOTAL}, 4, ERR_INVALID);
    refused_unread(u, &(struct upload_piece){NULL, 0, TOTAL}, 4, ERR_INVALID);
    refused_unread(u, &(struct upload_piece){sha256, 4, TOTAL}, TOTAL, ERR_INVALID);
    refused_unread(u, &(struct upload_piece){sha256, -4, TOTAL}, 4, ERR_INVALID);
    refused_unread(u, &(struct upload_piece){"../x", 0, TOTAL}, TOTAL, ERR_INVALID);
    refused_unread(u, &(struct upload_piece){sha256, 0, UPLOAD_MAX_BYTES + 1}, 4, ERR_TOO_LARGE);
    refused_unread(u, &(struct upload_piece){NULL, 0, -1}, UPLOAD_MAX_BYTES + 1, ERR_TOO_LARGE);
}

static void a_full_disk_is_said_before_a_byte(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    atomic_store(&pretended_free_bytes, 1000);
    refused_unread(u, &(struct upload_piece){NULL, 0, -1}, 16, ERR_NO_SPACE);
    refused_unread(u, &(struct upload_piece){NULL, 0, -1}, -1, ERR_NO_SPACE);
    atomic_store(&pretended_free_bytes, -1);
    struct result r = send_piece(u, 0, TOTAL);
    holds_words(&r);
}

static void more_than_announced_is_refused(void **state) {
    OWN(uploads) struct uploads *u = open_uploads(*state);
    struct client c = {.bytes = words, .length = sizeof words - 1};
    const struct upload_piece piece = {.sha256 = c.sha256, .total = 8};
    struct result r = {0};
    digest_of(words, sizeof words - 1, c.sha256);
    r.taken = uploads_take(u, &piece, -1, send_some, &c, &r.complete, &r.offset, &r.staged,
                           &r.error); /* chunked */
    assert_false(r.taken);
    assert_int_equal(r.error.code, ERR_TOO_LARGE);
    assert_true(offset_of(u) <= 8);
}

static void abandoned_parts_go_after_a_day(void **state) {
    struct fixture *f = *state;
    OWN(uploads) struct uploads *u = open_uploads(f);
    const int64_t hour_ms = 3600000;
    (void)send_piece(u, 0, 4);
    uploads_prune(u, clock_wall_ms() + 23 * hour_ms);
    assert_int_equal(offset_of(u), 4);
    uploads_prune(u, clock_wall_ms() + 25 * hour_ms);
    assert_int_equal(offset_of(u), 0);
}

static void a_link_in_place_of_a_part_is_not_followed(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN(uploads) struct uploads *u = open_uploads(f);
    char sha256[SHA256_HEX_SIZE], path[PATH_MAX], target[PATH_MAX];
    digest_of(words, sizeof words - 1, sha256);
    snprintf(path, sizeof path, "%s/uploads/%s", f->state, sha256);
    assert_ok(file_join(target, sizeof target, f->state, "victim", &error));
    assert_ok(file_write_durable(target, "", 0, 0600, &error));
    assert_int_equal(symlink(target, path), 0);
    assert_false(send_piece(u, 0, TOTAL).taken);
    struct stat status;
    assert_int_equal(stat(target, &status), 0);
    assert_int_equal(status.st_size, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_whole_body_is_staged),
        T(a_cut_body_of_unknown_digest_leaves_nothing),
        T(pieces_become_the_whole),
        T(a_piece_begins_where_the_last_ended),
        T(what_came_before_a_client_left_is_kept_over_a_restart),
        T(a_whole_body_replaces_what_was_begun),
        T(other_bytes_than_promised_are_thrown_away),
        T(one_writes_an_upload_at_a_time),
        T(what_cannot_be_is_refused_unread),
        T(a_full_disk_is_said_before_a_byte),
        T(more_than_announced_is_refused),
        T(abandoned_parts_go_after_a_day),
        T(a_link_in_place_of_a_part_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
