#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/file.h"

#include <ctype.h>
#include <string.h>

#define BODY_MAX_BYTES (16 * 1024 * 1024)

/* --data JSON, @FILE, or @- and - for stdin. */
static bool read_data(const char *data, struct text *out, struct err *e) {
    if (strcmp(data, "-") == 0 || strcmp(data, "@-") == 0) {
        char piece[8192];
        for (ssize_t got; (got = read(STDIN_FILENO, piece, sizeof piece)) > 0;) {
            text_add_bytes(out, piece, (size_t)got);
            if (out->length > BODY_MAX_BYTES)
                return err_set(e, ERR_TOO_LARGE, "the body is larger than 16 MB");
        }
        return true;
    }
    if (data[0] == '@') return file_read(data + 1, BODY_MAX_BYTES, out, e) || err_wrap(e, "--data");
    text_add(out, data);
    return true;
}

static bool method_of(const char *word, char out[16], struct err *e) {
    size_t length = strlen(word);
    for (size_t i = 0; i < length && i < 15; i++) out[i] = (char)toupper((unsigned char)word[i]);
    if (length > 0 && length < 16 &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == length) {
        out[length] = '\0';
        return true;
    }
    err_set(e, ERR_USAGE, "\"%s\" is no HTTP method", word);
    return err_hint(e, "gridctl api GET /api/summary");
}

static bool emit(const struct invocation *call, const struct http_answer *answer, struct err *e) {
    struct err not_json;
    bool json = strncmp(answer->content_type, "application/json", 16) == 0;
    if (call->format == OUTPUT_JSON) return listing_json(answer, e);
    if (call->style.width > 0 && json && listing_json(answer, &not_json)) return true;
    if (call->style.width == 0) return output_emit(&answer->body, e);
    OWN_TEXT struct text clean = TEXT_EMPTY;
    output_clean(text_value(&answer->body), true, &call->style, &clean);
    return output_emit(&clean, e);
}

bool raw_call(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    char method[16];
    const char *path = call->arguments[1];
    if (!method_of(call->arguments[0], method, e)) return false;
    if (path[0] != '/' || strpbrk(path, " \t\r\n#") != NULL) {
        err_set(e, ERR_USAGE, "\"%s\" is not a path such as /api/agents?status=up", path);
        return err_hint(e, "gridctl api %s /api/summary", method);
    }
    const char *data = call->settings->data;
    if (data != NULL && data[0] != '\0' && !read_data(data, &body, e)) return false;
    if (call->settings->dry_run)
        return invocation_would(call, e, "%s %s with %zu bytes", method, path, body.length);
    if (!api_send(call->api, method, path, data != NULL ? text_value(&body) : NULL, &answer, e))
        return false;
    return emit(call, &answer, e);
}
