/* binary push: what could be refused is checked before the first byte goes out, and a transfer that
 * is cut goes on where the master says it stopped. */
#include "cli/binary_targets.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/retry.h"
#include "cli/terminal.h"
#include "lib/clock.h"
#include "lib/encode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ADMISSION_TIMEOUT_MS 60000 /* behind the last byte the master flushes, hashes and signs */

struct upload {
    struct invocation *call;
    const struct binary_file *file;
    char *signature_header;    /* "X-Grid-Signature: ...", NULL for none; owned */
    char *path;                /* owned */
    struct trust_file targets; /* FILE.targets.json; empty: none */
    bool held;                 /* the master has the bytes, and waits for somebody's word */
    struct progress progress;
    int64_t deadline_ms; /* monotonic; 0: none */
};

static bool signature_header(struct upload *u, struct err *e) {
    OWN_TEXT struct text signature = TEXT_EMPTY, header = TEXT_EMPTY;
    const struct settings *s = u->call->settings;
    char key[PATH_MAX];
    bool found = true;
    if (!settings_one(s->keys, "--key", key, e)) return false;
    if (key[0] != '\0' ? !binary_file_sign(u->file, key, &signature, e)
                       : !binary_file_signature(u->file, s, &signature, &found, e))
        return false;
    if (!found) return true;
    OWN_MEMORY char *base64 = memory_zeroed(ENCODE_BASE64_SIZE(signature.length), 1);
    text_add_format(&header, "X-Grid-Signature: %s",
                    encode_base64(signature.data, signature.length, base64));
    u->signature_header = text_take(&header);
    return true;
}

static bool refuse_yanked(const struct upload *u, struct err *e) {
    err_set(e, ERR_CONFLICT, "%s was yanked and is never offered again", u->file->name);
    return err_hint(e, "push the build under a new version");
}

/* Whether the name is taken: *same when these very bytes are published, ERR_CONFLICT when it has
 * others or was yanked. What the targets leave out can be offered anew. */
static bool look_up(struct upload *u, struct http_answer *answer, bool *same, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct answer_binary binary;
    *same = false;
    binary_path(&u->file->id, NULL, &path);
    if (!api_get(u->call->api, text_value(&path), answer, e)) return e->code == ERR_NOT_FOUND;
    if (!answer_decode(&answer_binary_schema, answer, &binary, e)) return false;
    bool equal = strcmp(binary.checksum, u->file->sha256) == 0;
    bool yanked = binary.yanked;
    *same = equal && !answer_binary_left_out(&binary);
    json_clear(&answer_binary_schema, &binary);
    if (equal) return !yanked || refuse_yanked(u, e);
    err_set(e, ERR_CONFLICT,
            "%s is published already with other bytes, and a published name keeps its bytes",
            u->file->name);
    return err_hint(e, "push it under a new version");
}

/* The answer to HEAD has no body that could say it. */
static bool explain_role(const struct http_answer *answer, struct err *e) {
    if (answer->status != 403) return false;
    err_set(e, ERR_DENIED, "publishing needs role publisher, which the token does not have");
    return err_hint(e, "an admin makes such a token: gridctl token create --role publisher");
}

static bool ask_offset(struct upload *u, int64_t *offset, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct http_call head = {.method = "HEAD"};
    if (!api_call(u->call->api, &head, u->path, &answer, e)) return explain_role(&answer, e);
    *offset = answer.upload_offset > 0 ? answer.upload_offset : 0;
    if (*offset <= u->file->size_bytes) return true;
    return err_set(e, ERR_CORRUPT, "the master holds %lld bytes of %s, which has only %lld",
                   (long long)*offset, u->file->name, (long long)u->file->size_bytes);
}

/* Sends everything from offset on. *done: the master has it all. */
static bool send_from(struct upload *u, int64_t offset, struct http_answer *answer, bool *done,
                      struct err *e) {
    char range[96];
    int64_t size = u->file->size_bytes;
    if (offset == size)
        snprintf(range, sizeof range, "Content-Range: bytes */%lld", (long long)size);
    else
        snprintf(range, sizeof range, "Content-Range: bytes %lld-%lld/%lld", (long long)offset,
                 (long long)(size - 1), (long long)size);
    const char *const headers[] = {range, u->signature_header, NULL};
    struct http_call put = {.method = "PUT",
                            .headers = headers,
                            .content_type = "application/octet-stream",
                            .body_fd = u->file->fd,
                            .body_fd_length = size - offset,
                            .stall_timeout_ms = ADMISSION_TIMEOUT_MS,
                            .progress = progress_step,
                            .progress_argument = &u->progress};
    if (u->deadline_ms != 0) put.timeout_ms = u->deadline_ms - clock_monotonic_ms();
    if (u->deadline_ms != 0 && put.timeout_ms <= 0)
        return err_set(e, ERR_TIMEOUT, "the upload took too long");
    if (lseek(u->file->fd, offset, SEEK_SET) != offset)
        return err_errno(e, errno, "cannot read %s", u->file->path);
    u->progress.base_bytes = offset;
    bool sent = api_call(u->call->api, &put, u->path, answer, e);
    u->held = sent && answer->status == 202 &&
              (answer->upload_offset < 0 || answer->upload_offset == size);
    *done = sent && (answer->status != 202 || u->held);
    return sent;
}

/* One round: where does it stand, send the rest. A master that has all of it but was stopped before
 * it published it does so when nothing more is sent. */
static bool attempt(struct upload *u, int64_t *offset, struct http_answer *answer, bool *done,
                    struct err *e) {
    *done = false;
    return ask_offset(u, offset, e) && send_from(u, *offset, answer, done, e);
}

static bool upload(struct upload *u, struct http_answer *answer, struct err *e) {
    struct retry retry = RETRY_BEGIN;
    int64_t best = -1, offset = 0;
    for (bool done = false; !done;) {
        http_answer_fini(answer);
        *answer = (struct http_answer){0};
        if (attempt(u, &offset, answer, &done, e)) continue;
        bool moved = answer->status == 409 && answer->upload_offset >= 0;
        if (offset > best) retry = (struct retry)RETRY_BEGIN;
        best = offset > best ? offset : best;
        int64_t wait_ms = moved || retry_worthwhile(e->code, answer->status)
                              ? retry_next(&retry, answer->retry_after_s)
                              : -1;
        if (wait_ms < 0 ||
            (u->deadline_ms != 0 && clock_monotonic_ms() + wait_ms >= u->deadline_ms))
            return false;
        progress_end(&u->progress);
        invocation_note(u->call, "%s; again in %lld s", e->text,
                        (long long)((wait_ms + 999) / 1000));
        retry_wait(wait_ms);
        progress_begin(&u->progress, u->file->name, &u->call->stderr_style);
    }
    return true;
}

static bool channel_has(struct upload *u, const char *version, char channel[64]) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err ignored;
    void *items = NULL;
    size_t count = 0;
    bool found = false;
    if (!api_get(u->call->api, "/api/channels", &answer, &ignored) ||
        !answer_decode_list(&answer_channel_schema, &answer, &items, &count, &ignored))
        return false;
    const struct answer_channel *channels = items;
    for (size_t i = 0; i < count && !found; i++) {
        found = strcmp(format_or(channels[i].version, ""), version) == 0 &&
                strcmp(format_or(channels[i].artifact, ""), u->file->id.name) == 0;
        if (found) snprintf(channel, 64, "%s", format_or(channels[i].name, "?"));
    }
    json_clear_list(&answer_channel_schema, items, count);
    return found;
}

static void say_next(struct upload *u) {
    char channel[64];
    bool usual = strcmp(u->file->id.name, ARTIFACT_DEFAULT_NAME) == 0;
    if (!invocation_for_people(u->call)) return;
    if (channel_has(u, u->file->id.version, channel))
        invocation_note(
            u->call, "channel %s points to %s: its agents fetch it now\nNext: gridctl agent list",
            channel, u->file->id.version);
    else
        invocation_note(u->call,
                        "no machine moves until a rollout or a channel says so\n"
                        "Next: gridctl rollout plan --version %s%s%s",
                        u->file->id.version, usual ? "" : " --name ",
                        usual ? "" : u->file->id.name);
}

static bool report(struct upload *u, const struct http_answer *answer, const char *what,
                   struct err *e) {
    char size[FORMAT_SIZE];
    if (!listing_changed(u->call, answer, u->file->name, e, "%s %s (%s, SHA-256 %s)", what,
                         u->file->name, format_bytes(u->file->size_bytes, size), u->file->sha256))
        return false;
    say_next(u);
    return true;
}

static bool report_held(struct upload *u, const struct http_answer *answer, struct err *e) {
    struct answer_held held;
    if (!answer_decode(&answer_held_schema, answer, &held, e)) return false;
    bool done = listing_changed(u->call, answer, u->file->name, e, "held %s: %s", u->file->name,
                                format_or(held.reason, "it waits for an approval"));
    json_clear(&answer_held_schema, &held);
    if (done)
        invocation_note(u->call,
                        "Next: gridctl binary sign %s --key KEYFILE, where the key is, and push "
                        "again; or, while the master has the targets key, gridctl binary approve "
                        "%s",
                        u->file->path, u->file->name);
    return done;
}

/* What was held is published by the targets that name it. */
static bool finish(struct upload *u, const struct http_answer *answer, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer published = {0};
    if (!u->held) return report(u, answer, "published", e);
    if (!trust_file_present(&u->targets)) return report_held(u, answer, e);
    return binary_targets_send(u->call, u->file, &u->targets, &published, e) &&
           report(u, &published, "published", e);
}

static bool push(struct upload *u, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    bool same;
    if (!look_up(u, &answer, &same, e)) return false;
    if (same) return report(u, &answer, "already published:", e);
    if (!signature_header(u, e) || !binary_targets_read(u->file, &u->targets, e)) return false;
    if (u->call->settings->dry_run)
        return invocation_would(u->call, e, "publish %s (%lld bytes, %s)", u->file->name,
                                (long long)u->file->size_bytes,
                                u->signature_header != NULL ? "signed"
                                                            : "without a publisher's signature");
    terminal_on_interrupt("\ninterrupted; the same command goes on where this one stopped\n", NULL);
    progress_begin(&u->progress, u->file->name, &u->call->stderr_style);
    bool sent = upload(u, &answer, e);
    progress_end(&u->progress);
    terminal_on_interrupt(NULL, NULL);
    return sent && finish(u, &answer, e);
}

bool binary_push(struct invocation *call, struct err *e) {
    OWN_BINARY_FILE struct binary_file file = {.fd = -1};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (!binary_file_open(call->arguments[0], call->settings, &file, e)) return false;
    if (!artifact_check_machine(file.fd, file.id.platform, file.id.arch, e))
        return err_wrap(e, "%s", file.path);
    binary_path(&file.id, NULL, &path);
    api_query_add(&path, "sha256", file.sha256);
    api_query_add(&path, "notes", call->settings->notes);
    struct upload u = {.call = call, .file = &file, .path = text_take(&path)};
    if (call->settings->timeout_ms > 0)
        u.deadline_ms = clock_monotonic_ms() + call->settings->timeout_ms;
    bool done = push(&u, e);
    free(u.signature_header);
    free(u.path);
    trust_file_fini(&u.targets);
    return done;
}
