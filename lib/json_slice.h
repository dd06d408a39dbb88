/* JSON read in place, for what no field table describes (maps whose keys are data) or what must
 * stay byte for byte: a value is a slice of the text, and walking goes from member to member. Only
 * text that json_slice_of has checked may be walked. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

/* One value, without white space around it; not NUL-terminated. */
struct json_slice {
    const char *at;
    size_t length;
};

/* The whole text as one value, by the rules of lib/json_scan.h. ERR_INVALID. */
MUST_CHECK bool json_slice_of(const char *json, size_t length, struct json_slice *out,
                              struct err *e);

bool json_slice_is_object(struct json_slice value);
bool json_slice_is_array(struct json_slice value);

struct json_walk {
    const char *at;
    const char *end;
};

/* Begins at the first member of an object or the first element of an array. */
struct json_walk json_walk_into(struct json_slice container);

/* The next one; false behind the last. Keys come as they are written, quotes included; keys that
 * are there twice come twice. */
bool json_walk_member(struct json_walk *w, struct json_slice *key, struct json_slice *value);
bool json_walk_element(struct json_walk *w, struct json_slice *value);

/* For one pass over nested values, each of which is looked at where the walk stands (*w->at) before
 * anybody knows its end: scalars are taken, containers entered, walked and left. */
struct json_slice json_walk_scalar(struct json_walk *w);
void json_walk_enter(struct json_walk *w);
/* Stands at the next value, behind its key in an object; false, and behind the container, when
 * there is none. */
bool json_walk_next_member(struct json_walk *w, struct json_slice *key);
bool json_walk_next_element(struct json_walk *w);

/* False when the value is of another type. Text is appended, its escapes resolved; numbers must be
 * whole, written without fraction or exponent, within +-JSON_INT_MAX of lib/json.h. */
MUST_CHECK bool json_slice_text(struct json_slice value, struct text *out);
MUST_CHECK bool json_slice_int(struct json_slice value, int64_t *out);
MUST_CHECK bool json_slice_bool(struct json_slice value, bool *out);
