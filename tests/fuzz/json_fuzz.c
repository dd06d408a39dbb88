/* JSON by field tables: every kind of field, strict rules, encoding that decodes to the same. */
#include "lib/json.h"
#include "lib/json_scan.h"
#include "tests/fuzz/fuzz.h"

struct inner {
    char name[16];
    int64_t number;
};

static const struct json_field inner_fields[] = {
    J(JSON_STRING, struct inner, name, JSON_REQUIRED),
    J(JSON_INT, struct inner, number, JSON_OMIT_EMPTY),
};
static const struct json_schema inner_schema = JSON_SCHEMA(struct inner, inner_fields);

struct outer {
    char word[24];
    char *words;
    int64_t number;
    bool flag;
    char *labels;
    char *changes;
    char *lines;
    char *raw;
    bool has_perhaps;
    int64_t perhaps;
    struct inner one;
    struct inner *many;
    size_t many_count;
};

static const struct json_field outer_fields[] = {
    J(JSON_STRING, struct outer, word, 0),
    J(JSON_TEXT, struct outer, words, 0),
    J(JSON_INT, struct outer, number, 0),
    J(JSON_BOOL, struct outer, flag, 0),
    J(JSON_LABELS, struct outer, labels, 0),
    J(JSON_LABEL_CHANGES, struct outer, changes, 0),
    J(JSON_STRINGS, struct outer, lines, JSON_OMIT_EMPTY),
    J(JSON_RAW, struct outer, raw, 0),
    J_OPTIONAL(JSON_INT, struct outer, perhaps),
    J_SUB(struct outer, one, &inner_schema, JSON_OMIT_EMPTY),
    J_LIST(struct outer, many, &inner_schema, 0),
};
static const struct json_schema outer_schema = JSON_SCHEMA(struct outer, outer_fields);

static bool decode(const char *json, size_t length, enum json_unknown unknown, struct text *out) {
    struct outer o;
    struct err e;
    if (!json_decode(&outer_schema, json, length, unknown, &o, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return false;
    }
    assert(o.number <= JSON_INT_MAX && o.number >= -JSON_INT_MAX);
    json_encode(&outer_schema, &o, out);
    json_clear(&outer_schema, &o);
    return true;
}

/* What is read is written so that it reads and writes the same. */
static void check_object(const char *json, size_t size) {
    OWN_TEXT struct text lax = TEXT_EMPTY;
    OWN_TEXT struct text strict = TEXT_EMPTY;
    OWN_TEXT struct text again = TEXT_EMPTY;
    bool taken = decode(json, size, JSON_IGNORE_UNKNOWN, &lax);
    bool known = decode(json, size, JSON_REJECT_UNKNOWN, &strict);
    assert(taken || !known);
    if (known) assert(strcmp(lax.data, strict.data) == 0);
    if (!taken) return;
    bool reads = decode(lax.data, lax.length, JSON_REJECT_UNKNOWN, &again);
    assert(reads && strcmp(lax.data, again.data) == 0);
}

static void check_list(const char *json, size_t size) {
    void *items = NULL;
    size_t count = 0;
    struct err e;
    OWN_TEXT struct text once = TEXT_EMPTY;
    if (!json_decode_list(&inner_schema, json, size, &items, &count, &e)) return;
    json_encode_list(&inner_schema, items, count, &once);
    json_clear_list(&inner_schema, items, count);
    bool valid = json_check(once.data, once.length, &e);
    assert(valid);
}

/* For people: the same value, and the same again from itself. */
static void check_pretty(const char *json, size_t size) {
    struct err e;
    OWN_TEXT struct text once = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    bool checked = json_check(json, size, &e);
    if (checked) assert(json_scan(json, size, &e));
    if (!checked || memchr(json, '\0', size) != NULL) return;
    json_pretty(json, &once);
    bool valid = json_check(once.data, once.length, &e);
    assert(valid);
    json_pretty(once.data, &twice);
    assert(strcmp(once.data, twice.data) == 0);
}

static void check_quote(const char *words) {
    struct err e;
    OWN_TEXT struct text quoted = TEXT_EMPTY;
    json_quote(words, &quoted);
    bool valid = json_check(quoted.data, quoted.length, &e);
    assert(valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OWN_MEMORY char *json = fuzz_string(data, size);
    check_object(json, size);
    check_list(json, size);
    check_pretty(json, size);
    check_quote(json);
    return 0;
}
