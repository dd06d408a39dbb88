#include "agent/message.h"

#include "lib/wire.h"

#include <string.h>

void message_sign(const struct sign_secret *key, const struct json_schema *schema,
                  const void *message, struct text *frame) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(schema, message, &json);
    frame_signed(key, WIRE_PURPOSE_AGENT, text_value(&json), json.length, frame);
}

static bool is_type(const struct frame *f, const char *type) {
    struct wire_type found;
    return json_decode(&wire_type_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &found,
                       NULL) &&
           strcmp(found.type, type) == 0;
}

bool message_refused(const struct sign_public *master_key, const char *nonce, const struct frame *f,
                     bool *hello_required, struct err *e) {
    struct wire_error m;
    *hello_required = false;
    if (f->kind != FRAME_SIGNED || !frame_signed_valid(f, master_key, WIRE_PURPOSE_MASTER))
        return false;
    if (!is_type(f, "error") ||
        !json_decode(&wire_error_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &m, NULL))
        return false;
    if (strcmp(m.nonce, nonce) != 0) return false;
    *hello_required = strcmp(m.code, "hello_required") == 0;
    enum err_code code = *hello_required ? ERR_UNAUTHENTICATED : err_code_by_name(m.code);
    err_set(e, code, "the master refuses: %s", m.text);
    if (m.hint[0] != '\0') err_hint(e, "%s", m.hint);
    return true;
}

bool message_open(const struct message_expected *expected, const void *bytes, size_t length,
                  void *out, struct err *e) {
    struct frame f;
    bool hello_required;
    if (!frame_parse(bytes, length, &f, e)) return err_wrap(e, "answer of the master");
    if (message_refused(expected->master_key, expected->nonce, &f, &hello_required, e))
        return false;
    bool proven =
        f.kind == FRAME_SIGNED && frame_signed_valid(&f, expected->master_key, WIRE_PURPOSE_MASTER);
    if (!proven)
        return err_set(e, ERR_UNTRUSTED, "the answer to %s is not signed by the master's key",
                       expected->type);
    if (!is_type(&f, expected->type))
        return err_set(e, ERR_UNTRUSTED, "the master answered something else than %s",
                       expected->type);
    if (!json_decode(expected->schema, f.json, f.json_length, JSON_IGNORE_UNKNOWN, out, e))
        return false;
    const struct wire_challenge_request *head = out; /* type and nonce, as every message begins */
    if (strcmp(head->nonce, expected->nonce) == 0) return true;
    json_clear(expected->schema, out);
    return err_set(e, ERR_UNTRUSTED, "the answer to %s belongs to another question",
                   expected->type);
}
