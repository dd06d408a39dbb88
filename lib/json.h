/* JSON by field tables: one table decodes, encodes and clears a struct. Strict where RFC 8259
 * leaves room: no trailing bytes, no duplicate keys, no numbers that a double cannot hold exactly
 * as integers where integers are asked for, valid UTF-8, no \u0000, no number of more than 64
 * characters or beyond a double, depth at most 32, size at most the caller's buffer. null means
 * absent. Any thread. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

/* 2^53 - 1 (RFC 7493): beyond, neighbours share one double. */
#define JSON_INT_MAX INT64_C(9007199254740991)

enum json_type {
    /* char field[N]; longer input is ERR_INVALID, never cut */
    JSON_STRING,
    /* char *field, owned (freed by json_clear); NULL when absent, written as null */
    JSON_TEXT,
    /* int64_t field; whole numbers within +-JSON_INT_MAX. Beyond that the nearest of these is
     * written. */
    JSON_INT,
    /* bool field */
    JSON_BOOL,
    /* char *field, owned: an object of strings <-> canonical labels text (lib/labels.h); NULL is {}
     */
    JSON_LABELS,
    /* char *field, owned: an object of strings and nulls <-> lines "key=value" to set, "key" to
     * remove, joined by '\n' */
    JSON_LABEL_CHANGES,
    /* char *field, owned: an array of strings <-> one text, joined by '\n'; none of them empty or
     * with '\n' in it; NULL is [] */
    JSON_STRINGS,
    /* char *field, owned: any JSON value as compact text, its numbers as doubles; written verbatim,
     * absent when NULL */
    JSON_RAW,
    /* struct field, described by sub */
    JSON_OBJECT,
    /* struct *field (owned array) with a size_t count beside it, elements described by sub */
    JSON_LIST,
    /* const struct *field, described by sub and somebody else's: only written, absent when NULL */
    JSON_REFERENCE,
};

enum json_flags {
    /* absent or null is ERR_INVALID */
    JSON_REQUIRED = 1,
    /* "", NULL, 0, false, empty lists and objects of nothing but these are not written */
    JSON_OMIT_EMPTY = 2,
    /* a JSON_TEXT that is NULL is written as "" */
    JSON_NEVER_NULL = 4,
};

struct json_schema;

struct json_field {
    const char *name;
    enum json_type type;
    unsigned flags;
    size_t offset;
    size_t size;         /* of a JSON_STRING's array */
    size_t count_offset; /* JSON_LIST: of the size_t count */
    /* Of a bool that decoding sets when the key was there, even as null, and without which encoding
     * leaves the field out; SIZE_MAX when not wanted. */
    size_t present_offset;
    const struct json_schema *sub; /* JSON_OBJECT, JSON_LIST, JSON_REFERENCE */
};

struct json_schema {
    /* For error texts: "heartbeat.nodes[2].port: not a whole number"; they leave out a trailing
     * "_fields". */
    const char *name;
    size_t size; /* sizeof the struct */
    const struct json_field *fields;
    size_t field_count;
};

/* J(JSON_STRING, struct heartbeat, agent_id, 0) */
#define J(type_, struct_, field_, flags_) J_NAMED(type_, struct_, field_, #field_, flags_)
/* As J with a key that cannot be the field's name ("signed"). */
#define J_NAMED(type_, struct_, field_, name_, flags_)                                             \
    {                                                                                              \
        .name = (name_), .type = (type_), .flags = (flags_), .offset = offsetof(struct_, field_),  \
        .size = sizeof(((struct_ *)0)->field_), .present_offset = SIZE_MAX                         \
    }
/* As J with a bool `has_<field>` that tells whether the key was given (PATCH). */
#define J_OPTIONAL(type_, struct_, field_)                                                         \
    {                                                                                              \
        .name = #field_, .type = (type_), .offset = offsetof(struct_, field_),                     \
        .size = sizeof(((struct_ *)0)->field_), .present_offset = offsetof(struct_, has_##field_)  \
    }
#define J_SUB(struct_, field_, schema_, flags_)                                                    \
    {                                                                                              \
        .name = #field_, .type = JSON_OBJECT, .flags = (flags_),                                   \
        .offset = offsetof(struct_, field_), .present_offset = SIZE_MAX, .sub = (schema_)          \
    }
#define J_REFERENCE(struct_, field_, schema_)                                                      \
    {                                                                                              \
        .name = #field_, .type = JSON_REFERENCE, .offset = offsetof(struct_, field_),              \
        .present_offset = SIZE_MAX, .sub = (schema_)                                               \
    }
/* `struct node_report *nodes; size_t nodes_count;` */
#define J_LIST(struct_, field_, schema_, flags_)                                                   \
    {                                                                                              \
        .name = #field_, .type = JSON_LIST, .flags = (flags_),                                     \
        .offset = offsetof(struct_, field_), .count_offset = offsetof(struct_, field_##_count),    \
        .present_offset = SIZE_MAX, .sub = (schema_)                                               \
    }
#define JSON_SCHEMA(struct_, fields_)                                                              \
    {                                                                                              \
        .name = #fields_, .size = sizeof(struct_), .fields = (fields_),                            \
        .field_count = sizeof(fields_) / sizeof((fields_)[0])                                      \
    }

/* Messages ignore unknown keys, request bodies reject them (naming the allowed ones). */
enum json_unknown { JSON_IGNORE_UNKNOWN, JSON_REJECT_UNKNOWN };

/* Decodes one object into *out (zeroed first). On failure nothing is owned by *out. */
MUST_CHECK bool json_decode(const struct json_schema *schema, const char *json, size_t length,
                            enum json_unknown unknown, void *out, struct err *e);

/* The same of what may hold passwords: the strings that it read are wiped. */
MUST_CHECK bool json_decode_secret(const struct json_schema *schema, const char *json,
                                   size_t length, enum json_unknown unknown, void *out,
                                   struct err *e);

/* Decodes an array of objects into a heap array; free it with json_clear_list. */
MUST_CHECK bool json_decode_list(const struct json_schema *schema, const char *json, size_t length,
                                 void **items, size_t *count, struct err *e);

/* Appends one object, or an array of them. Strings that are not UTF-8 are written with U+FFFD in
 * place of bad bytes. */
void json_encode(const struct json_schema *schema, const void *object, struct text *out);
void json_encode_list(const struct json_schema *schema, const void *items, size_t count,
                      struct text *out);

/* Frees what the object's fields own and zeroes it. */
void json_clear(const struct json_schema *schema, void *object);
void json_clear_list(const struct json_schema *schema, void *items,
                     size_t count); /* frees items too */

/* Appends a quoted, escaped JSON string. */
void json_quote(const char *value, struct text *out);

/* Checks any JSON value by the strict rules without keeping it. */
MUST_CHECK bool json_check(const char *json, size_t length, struct err *e);

/* Appends the value with indentation of two spaces, for people. The input must have passed
 * json_check. */
void json_pretty(const char *json, struct text *out);
