#include "agent/hello.h"

#include "agent/message.h"
#include "lib/encode.h"

#include <string.h>

void hello_series_begin(struct hello_series *s) {
    *s = (struct hello_series){.greetings = 0};
    random_hex((sizeof s->instance - 1) / 2, s->instance);
}

void hello_write(const struct identity *who, int64_t generation, struct hello_series *series,
                 struct hello *out, struct text *frame) {
    struct wire_hello m = {.type = "hello", .generation = generation};
    if (series->instance[0] != '\0') m.greeting = ++series->greetings;
    memcpy(m.instance, series->instance, sizeof m.instance);
    random_hex(SESSION_NONCE_SIZE, out->nonce);
    session_exchange_new(&out->mine);
    memcpy(m.nonce, out->nonce, sizeof m.nonce);
    memcpy(m.agent_id, who->agent_id, sizeof m.agent_id);
    sign_public_text(&who->master_key, m.master_key);
    encode_hex(out->mine.public_key, sizeof out->mine.public_key, m.exchange_key);
    message_sign(who->key, &wire_hello_schema, &m, frame);
}

bool hello_read(const struct identity *who, const struct hello *sent, const void *bytes,
                size_t length, struct wire_hello_answer *out, struct err *e) {
    struct message_expected expected = {&who->master_key, "hello", sent->nonce,
                                        &wire_hello_answer_schema};
    if (!message_open(&expected, bytes, length, out, e)) return false;
    return strcmp(out->agent_id, who->agent_id) == 0 ||
           err_set(e, ERR_UNTRUSTED, "the master greets another agent");
}
