#include "lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct json_schema *const schemas[] = {
    &wire_type_schema,         &wire_challenge_request_schema,
    &wire_challenge_schema,    &wire_enroll_schema,
    &wire_enrolled_schema,     &wire_hello_schema,
    &wire_hello_answer_schema, &wire_error_schema,
    &wire_exit_schema,         &wire_node_schema,
    &wire_update_schema,       &wire_log_schema,
    &wire_heartbeat_schema,    &wire_desired_schema,
};
#define SCHEMA_COUNT (sizeof schemas / sizeof schemas[0])

/* Fills every field with something of its own: numbers differ, strings have the greatest length. */
static void fill(const struct json_schema *schema, char *object, int64_t *seed) {
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct json_field *f = &schema->fields[i];
        char *field = object + f->offset;
        int64_t number = ++*seed;
        char words[32];
        snprintf(words, sizeof words, "k%d=v%d", (int)number, (int)number);
        switch (f->type) {
        case JSON_STRING:
            for (size_t n = 0; n + 1 < f->size; n++)
                field[n] = (char)('a' + (number + (int64_t)n) % 26);
            break;
        case JSON_INT:
            *(int64_t *)field = INT64_C(9007199254740991) - number;
            break;
        case JSON_BOOL:
            *(bool *)field = true;
            break;
        case JSON_OBJECT:
            fill(f->sub, field, seed);
            break;
        case JSON_LIST:
            *(size_t *)(object + f->count_offset) = 3;
            *(void **)field = memory_zeroed(3, f->sub->size);
            for (size_t n = 0; n < 3; n++) fill(f->sub, *(char **)field + n * f->sub->size, seed);
            break;
        default:
            *(char **)field = text_duplicate(words);
        }
    }
}

static bool same(const struct json_schema *schema, const char *a, const char *b) {
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct json_field *f = &schema->fields[i];
        const char *left = a + f->offset;
        const char *right = b + f->offset;
        bool equal = true;
        switch (f->type) {
        case JSON_STRING:
            equal = strcmp(left, right) == 0 && strlen(left) == f->size - 1;
            break;
        case JSON_INT:
            equal = *(const int64_t *)left == *(const int64_t *)right;
            break;
        case JSON_BOOL:
            equal = *(const bool *)left == *(const bool *)right;
            break;
        case JSON_OBJECT:
            equal = same(f->sub, left, right);
            break;
        case JSON_LIST:
            equal = *(const size_t *)(b + f->count_offset) == 3;
            for (size_t n = 0; equal && n < 3; n++)
                equal = same(f->sub, *(char *const *)left + n * f->sub->size,
                             *(char *const *)right + n * f->sub->size);
            break;
        default:
            equal = *(char *const *)right != NULL &&
                    strcmp(*(char *const *)left, *(char *const *)right) == 0;
        }
        if (!equal) {
            print_error("%s.%s differs\n", schema->name, f->name);
            return false;
        }
    }
    return true;
}

static void full_messages_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) {
        int64_t seed = 0;
        struct err e = {0};
        OWN_MEMORY char *sent = memory_zeroed(1, schemas[i]->size);
        OWN_MEMORY char *received = memory_zeroed(1, schemas[i]->size);
        OWN_TEXT struct text json = TEXT_EMPTY;
        fill(schemas[i], sent, &seed);
        json_encode(schemas[i], sent, &json);
        if (!json_decode(schemas[i], json.data, json.length, JSON_REJECT_UNKNOWN, received, &e))
            fail_msg("%s", e.text);
        assert_true(same(schemas[i], sent, received));
        json_clear(schemas[i], sent);
        json_clear(schemas[i], received);
    }
}

static void check_strings(const struct json_schema *schema) {
    for (size_t i = 0; i < schema->field_count; i++) {
        struct json_field f = schema->fields[i];
        if (f.sub != NULL) check_strings(f.sub);
        if (f.type != JSON_STRING) continue;
        f.flags = 0;
        struct json_schema only = {schema->name, schema->size, &f, 1};
        OWN_MEMORY char *out = memory_zeroed(1, schema->size);
        OWN_MEMORY char *longest = memory_zeroed(1, f.size + 1);
        OWN_TEXT struct text json = TEXT_EMPTY;
        struct err e = {0};
        memset(longest, 'x', f.size - 1);
        text_add_format(&json, "{\"%s\":\"%s\"}", f.name, longest);
        assert_true(json_decode(&only, json.data, json.length, JSON_REJECT_UNKNOWN, out, &e));
        assert_string_equal(out + f.offset, longest);
        longest[f.size - 1] = 'x';
        text_clear(&json);
        text_add_format(&json, "{\"%s\":\"%s\"}", f.name, longest);
        assert_false(json_decode(&only, json.data, json.length, JSON_REJECT_UNKNOWN, out, &e));
        assert_non_null(strstr(e.text, ": longer than "));
    }
}

static void strings_hold_exactly_what_their_field_holds(void **state) {
    (void)state;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) check_strings(schemas[i]);
}

static size_t field_size(const struct json_field *f) {
    switch (f->type) {
    case JSON_STRING:
        return f->size;
    case JSON_INT:
        return sizeof(int64_t);
    case JSON_BOOL:
        return sizeof(bool);
    case JSON_OBJECT:
        return f->sub != NULL ? f->sub->size : 0;
    case JSON_LIST:
        return sizeof(void *) + sizeof(size_t);
    default:
        return sizeof(char *);
    }
}

/* The fields, in the order of the struct, leave no room for one that the schema forgot: gaps are
 * alignment only. */
static void check_layout(const struct json_schema *schema) {
    size_t end = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct json_field *f = &schema->fields[i];
        if (f->sub != NULL) check_layout(f->sub);
        if (f->offset < end || f->offset - end >= sizeof(int64_t) ||
            (f->type == JSON_STRING && f->offset != end))
            fail_msg("%s: something before %s is missing or out of order", schema->name, f->name);
        if (f->type == JSON_LIST) assert_int_equal(f->count_offset, f->offset + sizeof(void *));
        if (f->type != JSON_OBJECT && f->type != JSON_LIST)
            assert_int_equal(f->size, field_size(f));
        end = f->offset + field_size(f);
    }
    if (schema->size < end || schema->size - end >= sizeof(int64_t))
        fail_msg("%s: a field at the end is missing", schema->name);
}

static void schemas_cover_their_structs(void **state) {
    (void)state;
    for (size_t i = 0; i < SCHEMA_COUNT; i++) check_layout(schemas[i]);
}

static void the_type_is_read_first_and_the_rest_ignored(void **state) {
    (void)state;
    const char *json = "{\"nonce\":\"n\",\"type\":\"heartbeat\",\"from_the_future\":{\"a\":[1]}}";
    struct wire_type t;
    struct err e = {0};
    assert_true(json_decode(&wire_type_schema, json, strlen(json), JSON_IGNORE_UNKNOWN, &t, &e));
    assert_string_equal(t.type, "heartbeat");
    assert_false(json_decode(&wire_type_schema, "{}", 2, JSON_IGNORE_UNKNOWN, &t, &e));
    assert_string_equal(e.text, "message.type: is missing");
}

static void heartbeat_errors_name_the_node(void **state) {
    (void)state;
    const char *json = "{\"type\":\"heartbeat\",\"agent_id\":\"a\",\"generation\":1,\"labels\":{},"
                       "\"nodes\":[{\"id\":\"a/0\",\"state\":\"healthy\"},"
                       "{\"id\":\"a/1\",\"state\":\"healthy\"},"
                       "{\"id\":\"a/2\",\"state\":\"healthy\",\"port\":71.5}]}";
    struct wire_heartbeat h;
    struct err e = {0};
    assert_false(
        json_decode(&wire_heartbeat_schema, json, strlen(json), JSON_IGNORE_UNKNOWN, &h, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.text, "heartbeat.nodes[2].port: not a whole number");
}

static void state_that_is_left_out_is_not_taken_for_empty_state(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{\"type\":\"heartbeat\",\"agent_id\":\"a\",\"generation\":1,\"labels\":{}}",
         "heartbeat.nodes: is missing"     },
        {"{\"type\":\"heartbeat\",\"agent_id\":\"a\",\"generation\":1,\"nodes\":[]}",
         "heartbeat.labels: is missing"    },
        {"{\"type\":\"heartbeat\",\"agent_id\":\"a\",\"labels\":{},\"nodes\":[]}",
         "heartbeat.generation: is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_heartbeat h;
        struct err e = {0};
        assert_false(json_decode(&wire_heartbeat_schema, rows[i][0], strlen(rows[i][0]),
                                 JSON_IGNORE_UNKNOWN, &h, &e));
        assert_string_equal(e.text, rows[i][1]);
    }
}

static void an_idle_heartbeat_is_small(void **state) {
    (void)state;
    struct wire_heartbeat h = {.type = "heartbeat", .agent_id = "agent-1"};
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(&wire_heartbeat_schema, &h, &json);
    assert_string_equal(text_value(&json),
                        "{\"type\":\"heartbeat\",\"agent_id\":\"agent-1\",\"generation\":0,"
                        "\"version\":\"\",\"sha256\":\"\",\"update\":{\"state\":\"\"},"
                        "\"platform\":\"\",\"arch\":\"\",\"agent_version\":\"\",\"labels\":{},"
                        "\"free_bytes\":0,\"nodes\":[]}");
}

static void agent_ids_are_checked(void **state) {
    (void)state;
    char longest[WIRE_AGENT_ID_SIZE + 1] = {0};
    struct err e = {0};
    memset(longest, 'a', WIRE_AGENT_ID_SIZE - 1);
    const char *const good[] = {"a", "agent-1", "7.host_x-", "Z", longest};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(wire_agent_id_check(good[i], &e));
    const char *const bad[] = {"",    "-a",  ".a",  "_a", "a b",      "a/0",
                               "a\n", "a~0", "a%2", "..", "\xC3\xA9", "a\xC3\xA9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (wire_agent_id_check(bad[i], &e)) fail_msg("\"%s\" was accepted", bad[i]);
        assert_int_equal(e.code, ERR_INVALID);
    }
    longest[WIRE_AGENT_ID_SIZE - 1] = 'a';
    assert_false(wire_agent_id_check(longest, &e));
    assert_non_null(strstr(e.text, "1 to 63 letters, digits"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_messages_round_trip),
        cmocka_unit_test(strings_hold_exactly_what_their_field_holds),
        cmocka_unit_test(schemas_cover_their_structs),
        cmocka_unit_test(the_type_is_read_first_and_the_rest_ignored),
        cmocka_unit_test(heartbeat_errors_name_the_node),
        cmocka_unit_test(state_that_is_left_out_is_not_taken_for_empty_state),
        cmocka_unit_test(an_idle_heartbeat_is_small),
        cmocka_unit_test(agent_ids_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
