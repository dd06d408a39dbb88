/* The part of lib/json.h that needs no tree: encoding, clearing, text for people. */
#include "lib/json.h"

#include "lib/labels.h"
#include "lib/utf8.h"

#include <inttypes.h>
#include <string.h>

static void write_object(const struct json_schema *schema, const char *object, struct text *out);

static void write_escape(unsigned char c, struct text *out) {
    static const char names[][3] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t",
    };
    if (c < sizeof names / sizeof names[0] && names[c][0] != '\0')
        text_add(out, names[c]);
    else
        text_add_format(out, "\\u%04x", c);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The highest bit of each byte that is 0, and perhaps of some behind the first such byte. */
static uint64_t zero_bytes(uint64_t word) {
    return (word - EACH(1)) & ~word & EACH(0x80);
}

/* Whether these eight bytes are ASCII that stands for itself inside quotes. */
static bool eight_plain(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t controls = (word - EACH(0x20)) & ~word;
    return ((word | controls) & EACH(0x80)) == 0 &&
           (zero_bytes(word ^ EACH('"')) | zero_bytes(word ^ EACH('\\'))) == 0;
}

/* Bytes at the start of value that stand for themselves inside quotes. */
static size_t plain_length(const char *value, size_t available) {
    size_t length = 0;
    while (available - length >= 8 && eight_plain(value + length)) length += 8;
    while (length < available) {
        unsigned char c = (unsigned char)value[length];
        size_t character = c < 0x80 ? 1 : utf8_character(value + length, available - length);
        if (c < 0x20 || c == '"' || c == '\\' || character == 0) break;
        length += character;
    }
    return length;
}

/* Appends three pieces with one look at whether there is room. */
static void add_pieces(struct text *out, const char *first, size_t first_length, const char *second,
                       size_t second_length, const char *third, size_t third_length) {
    char *at = text_room(out, first_length + second_length + third_length);
    memcpy(at, first, first_length);
    memcpy(at + first_length, second, second_length);
    memcpy(at + first_length + second_length, third, third_length);
    out->length += first_length + second_length + third_length;
    out->data[out->length] = '\0';
}

static void quote_rest(const char *value, const char *end, struct text *out) {
    while (value < end) {
        if ((unsigned char)*value >= 0x80)
            text_add(out, UTF8_REPLACEMENT);
        else
            write_escape((unsigned char)*value, out);
        value++;
        size_t plain = plain_length(value, (size_t)(end - value));
        text_add_bytes(out, value, plain);
        value += plain;
    }
    text_add(out, "\"");
}

void json_quote(const char *value, struct text *out) {
    if (*value == '\0') {
        text_add_bytes(out, "\"\"", 2);
        return;
    }
    size_t length = strlen(value), plain = plain_length(value, length);
    bool whole = plain == length;
    add_pieces(out, "\"", 1, value, plain, "\"", whole);
    if (!whole) quote_rest(value + plain, value + length, out);
}

static void write_int(int64_t value, struct text *out) {
    if (value > JSON_INT_MAX) value = JSON_INT_MAX;
    if (value < -JSON_INT_MAX) value = -JSON_INT_MAX;
    char digits[24];
    char *first = digits + sizeof digits;
    uint64_t left = (uint64_t)(value < 0 ? -value : value);
    do *--first = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0) *--first = '-';
    text_add_bytes(out, first, (size_t)(digits + sizeof digits - first));
}

static void write_labels(const char *labels, struct text *out) {
    char key[LABEL_PART_SIZE];
    char value[LABEL_PART_SIZE];
    const char *cursor = labels != NULL ? labels : "";
    const char *separator = "";
    text_add(out, "{");
    while (labels_next(&cursor, key, value)) {
        text_add(out, separator);
        json_quote(key, out);
        text_add(out, ":");
        json_quote(value, out);
        separator = ",";
    }
    text_add(out, "}");
}

/* The next line that is not empty as a heap string, NULL at the end. */
static char *next_line(const char **cursor) {
    *cursor += strspn(*cursor, "\n");
    size_t length = strcspn(*cursor, "\n");
    if (length == 0) return NULL;
    struct text line = TEXT_EMPTY;
    text_add_bytes(&line, *cursor, length);
    *cursor += length;
    return text_take(&line);
}

static void write_label_changes(const char *lines, struct text *out) {
    const char *cursor = lines != NULL ? lines : "";
    const char *separator = "";
    text_add(out, "{");
    for (char *line = next_line(&cursor); line != NULL; line = next_line(&cursor)) {
        char *equals = strchr(line, '=');
        if (equals != NULL) *equals = '\0';
        text_add(out, separator);
        json_quote(line, out);
        text_add(out, ":");
        if (equals != NULL)
            json_quote(equals + 1, out);
        else
            text_add(out, "null");
        separator = ",";
        free(line);
    }
    text_add(out, "}");
}

static void write_strings(const char *lines, struct text *out) {
    const char *cursor = lines != NULL ? lines : "";
    const char *separator = "";
    text_add(out, "[");
    for (char *line = next_line(&cursor); line != NULL; line = next_line(&cursor)) {
        text_add(out, separator);
        json_quote(line, out);
        separator = ",";
        free(line);
    }
    text_add(out, "]");
}

/* A value whose field is a char * that may be NULL. */
static void write_owned(enum json_type type, unsigned flags, const char *value, struct text *out) {
    if (type == JSON_LABELS)
        write_labels(value, out);
    else if (type == JSON_LABEL_CHANGES)
        write_label_changes(value, out);
    else if (type == JSON_STRINGS)
        write_strings(value, out);
    else if (value == NULL)
        text_add(out, flags & JSON_NEVER_NULL ? "\"\"" : "null");
    else if (type == JSON_RAW)
        text_add(out, value);
    else
        json_quote(value, out);
}

static void write_value(const struct json_field *f, const char *object, struct text *out) {
    const char *field = object + f->offset;
    switch (f->type) {
    case JSON_STRING:
        json_quote(field, out);
        break;
    case JSON_INT:
        write_int(*(const int64_t *)field, out);
        break;
    case JSON_BOOL:
        text_add(out, *(const bool *)field ? "true" : "false");
        break;
    case JSON_OBJECT:
        write_object(f->sub, field, out);
        break;
    case JSON_REFERENCE:
        write_object(f->sub, *(const char *const *)field, out);
        break;
    case JSON_LIST:
        json_encode_list(f->sub, *(void *const *)field, *(const size_t *)(object + f->count_offset),
                         out);
        break;
    default:
        write_owned(f->type, f->flags, *(char *const *)field, out);
    }
}

static bool object_empty(const struct json_schema *schema, const char *object);

static bool field_empty(const struct json_field *f, const char *object) {
    const char *field = object + f->offset;
    switch (f->type) {
    case JSON_STRING:
        return *field == '\0';
    case JSON_INT:
        return *(const int64_t *)field == 0;
    case JSON_BOOL:
        return !*(const bool *)field;
    case JSON_OBJECT:
        return object_empty(f->sub, field);
    case JSON_LIST:
        return *(const size_t *)(object + f->count_offset) == 0;
    case JSON_REFERENCE:
        return *(const void *const *)field == NULL;
    default:
        return *(char *const *)field == NULL || **(char *const *)field == '\0';
    }
}

static bool object_empty(const struct json_schema *schema, const char *object) {
    for (size_t i = 0; i < schema->field_count; i++)
        if (!field_empty(&schema->fields[i], object)) return false;
    return true;
}

static bool written(const struct json_field *f, const char *object) {
    if (f->present_offset != SIZE_MAX) return *(const bool *)(object + f->present_offset);
    if ((f->type == JSON_RAW || f->type == JSON_REFERENCE) &&
        *(char *const *)(object + f->offset) == NULL)
        return false;
    return !(f->flags & JSON_OMIT_EMPTY) || !field_empty(f, object);
}

static void write_object(const struct json_schema *schema, const char *object, struct text *out) {
    const char *before = "{\"";
    size_t length = out->length;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct json_field *f = &schema->fields[i];
        if (!written(f, object)) continue;
        add_pieces(out, before, 2, f->name, strlen(f->name), "\":", 2);
        write_value(f, object, out);
        before = ",\"";
    }
    text_add(out, out->length == length ? "{}" : "}");
}

void json_encode(const struct json_schema *schema, const void *object, struct text *out) {
    write_object(schema, object, out);
}

void json_encode_list(const struct json_schema *schema, const void *items, size_t count,
                      struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) text_add(out, ",");
        write_object(schema, (const char *)items + i * schema->size, out);
    }
    text_add(out, "]");
}

static void clear_field(const struct json_field *f, char *object) {
    char *field = object + f->offset;
    switch (f->type) {
    case JSON_TEXT:
    case JSON_LABELS:
    case JSON_LABEL_CHANGES:
    case JSON_STRINGS:
    case JSON_RAW:
        free(*(char **)field);
        break;
    case JSON_OBJECT:
        json_clear(f->sub, field);
        break;
    case JSON_LIST:
        json_clear_list(f->sub, *(void **)field, *(size_t *)(object + f->count_offset));
        break;
    default:
        break;
    }
}

void json_clear(const struct json_schema *schema, void *object) {
    for (size_t i = 0; i < schema->field_count; i++) clear_field(&schema->fields[i], object);
    memset(object, 0, schema->size);
}

void json_clear_list(const struct json_schema *schema, void *items, size_t count) {
    for (size_t i = 0; i < count; i++) json_clear(schema, (char *)items + i * schema->size);
    free(items);
}

static void new_line(size_t depth, struct text *out) {
    text_add_format(out, "\n%*s", (int)(2 * depth), "");
}

/* The string token at json, quotes included. */
static size_t token_length(const char *json) {
    size_t length = 1;
    while (json[length] != '"') length += json[length] == '\\' ? 2 : 1;
    return length + 1;
}

/* An opening bracket; "[]" and "{}" stay together. Returns the bytes taken. */
static size_t pretty_open(const char *json, size_t *depth, struct text *out) {
    size_t space = strspn(json + 1, " \t\r\n");
    char next = json[1 + space];
    text_add_bytes(out, json, 1);
    if (next == '}' || next == ']') {
        text_add_bytes(out, &next, 1);
        return 2 + space;
    }
    new_line(++*depth, out);
    return 1;
}

void json_pretty(const char *json, struct text *out) {
    size_t depth = 0;
    while (*json != '\0') {
        size_t taken = 1;
        switch (*json) {
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            break;
        case '"':
            taken = token_length(json);
            text_add_bytes(out, json, taken);
            break;
        case '{':
        case '[':
            taken = pretty_open(json, &depth, out);
            break;
        case '}':
        case ']':
            new_line(--depth, out);
            text_add_bytes(out, json, 1);
            break;
        case ',':
            text_add(out, ",");
            new_line(depth, out);
            break;
        case ':':
            text_add(out, ": ");
            break;
        default:
            text_add_bytes(out, json, 1);
        }
        json += taken;
    }
}
