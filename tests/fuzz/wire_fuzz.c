/* Messages of the bus: whatever a schema takes, it writes in a form that it takes again and that
 * writes the same. The first byte chooses the schema. */
#include "lib/wire.h"
#include "tests/fuzz/fuzz.h"

static const struct json_schema *const schemas[] = {
    &wire_type_schema,         &wire_challenge_request_schema,
    &wire_challenge_schema,    &wire_enroll_schema,
    &wire_enrolled_schema,     &wire_hello_schema,
    &wire_hello_answer_schema, &wire_error_schema,
    &wire_heartbeat_schema,    &wire_desired_schema,
    &wire_goodbye_schema,
};

union message {
    struct wire_type type;
    struct wire_challenge_request challenge_request;
    struct wire_challenge challenge;
    struct wire_enroll enroll;
    struct wire_enrolled enrolled;
    struct wire_hello hello;
    struct wire_hello_answer hello_answer;
    struct wire_error error;
    struct wire_heartbeat heartbeat;
    struct wire_desired desired;
    struct wire_goodbye goodbye;
};

static void check_id(const char *id) {
    struct err e;
    if (!wire_agent_id_check(id, &e)) return;
    assert(strlen(id) > 0 && strlen(id) < WIRE_AGENT_ID_SIZE);
    assert(strchr(id, '/') == NULL && id[0] != '.' && id[0] != '-');
}

static bool decode(const struct json_schema *schema, const char *json, size_t length,
                   struct text *out) {
    union message m;
    struct err e;
    if (!json_decode(schema, json, length, JSON_IGNORE_UNKNOWN, &m, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return false;
    }
    if (schema == &wire_heartbeat_schema) check_id(m.heartbeat.agent_id);
    json_encode(schema, &m, out);
    json_clear(schema, &m);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OWN_TEXT struct text once = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    const struct json_schema *schema =
        schemas[fuzz_byte(&data, &size) % (sizeof schemas / sizeof schemas[0])];
    OWN_MEMORY char *json = fuzz_string(data, size);
    if (!decode(schema, json, size, &once)) return 0;
    bool again = decode(schema, once.data, once.length, &twice);
    assert(again && strcmp(once.data, twice.data) == 0);
    return 0;
}
