/* The part of lib/json.h that decodes and checks; the only user of cJSON. */
#include "lib/json.h"

#include "lib/json_scan.h"
#include "lib/labels.h"
#include "lib/options.h"

#include <cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 160
#define SHOWN_KEY_CHARACTERS 40

OWN_DEFINE(tree, cJSON, cJSON_Delete)

/* As deep as json_scan lets anything be. */
static void wipe_strings(cJSON *item) { // NOLINT(misc-no-recursion)
    for (; item != NULL; item = item->next) {
        if (cJSON_IsString(item)) explicit_bzero(item->valuestring, strlen(item->valuestring));
        wipe_strings(item->child);
    }
}

static void delete_secret_tree(cJSON *tree) {
    wipe_strings(tree);
    cJSON_Delete(tree);
}
OWN_DEFINE(secret_tree, cJSON, delete_secret_tree)

/* Where in the message the decoder is: a chain on its stack, made words of only for an error. */
struct place {
    const struct place *outer; /* NULL: the whole message */
    const char *field;         /* NULL: an element */
    size_t index;
};

struct decoder {
    enum json_unknown unknown;
    const struct json_schema *schema; /* of the whole message */
    const struct place *place;        /* NULL at the top */
    struct err *e;
};

static bool decode_object(struct decoder *d, const struct json_schema *schema, const cJSON *item,
                          void *out);

/* Appends the place to out, which is cut when it grows too long. */
static void add_place(const struct place *p, char out[PATH_SIZE]) {
    if (p == NULL) return;
    add_place(p->outer, out);
    size_t length = strlen(out);
    if (p->field != NULL)
        snprintf(out + length, PATH_SIZE - length, ".%s", p->field);
    else
        snprintf(out + length, PATH_SIZE - length, "[%zu]", p->index);
}

/* "heartbeat.nodes[2]" */
static const char *path(const struct decoder *d, char out[PATH_SIZE]) {
    const char *name = d->schema->name, *suffix = "_fields";
    size_t length = strlen(name);
    if (length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0)
        length -= strlen(suffix);
    snprintf(out, PATH_SIZE, "%.*s", (int)length, name);
    add_place(d->place, out);
    return out;
}

static bool PRINTF_LIKE(2, 3) fail(const struct decoder *d, const char *format, ...) {
    char words[256], where[PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return err_set(d->e, ERR_INVALID, "%s: %s", path(d, where), words);
}

/* Puts the place before an error of another room. Returns false. */
static bool wrap(const struct decoder *d) {
    char where[PATH_SIZE];
    return err_wrap(d->e, "%s", path(d, where));
}

static int compare_keys(const void *a, const void *b) {
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* Sorted rather than compared pairwise: a hostile object may hold many thousand keys. */
static bool keys_unique(const cJSON *object, struct err *e) {
    size_t count = (size_t)cJSON_GetArraySize(object);
    OWN_MEMORY const cJSON **members = memory_zeroed(count, sizeof *members);
    size_t n = 0;
    for (const cJSON *member = object->child; member != NULL; member = member->next)
        members[n++] = member;
    qsort(members, count, sizeof *members, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (strcmp(members[i - 1]->string, members[i]->string) == 0)
            return err_set(e, ERR_INVALID, "key \"%.*s\" is there twice", SHOWN_KEY_CHARACTERS,
                           members[i]->string);
    return true;
}

static bool all_keys_unique(const cJSON *item, struct err *e) {
    if (cJSON_IsObject(item) && !keys_unique(item, e)) return false;
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        if (!all_keys_unique(child, e)) return false;
    return true;
}

/* The tree of a text that passed every rule but that of its keys; NULL with the error set. cJSON
 * itself is lax and its number and string parsers have read past truncated input, so json_scan
 * comes first and leaves it nothing to refuse. */
static cJSON *parse(const char *json, size_t length, struct err *e) {
    /* cJSON notes where its last error was in a global variable, at every parse. */
    static pthread_mutex_t last_error_lock = PTHREAD_MUTEX_INITIALIZER;
    if (!json_scan(json, length, e)) return NULL;
    pthread_mutex_lock(&last_error_lock);
    cJSON *tree = cJSON_ParseWithLengthOpts(json, length, NULL, 0);
    pthread_mutex_unlock(&last_error_lock);
    if (tree == NULL)
        err_set(e, ERR_INTERNAL, "JSON of %zu bytes could not be read: out of memory", length);
    return tree;
}

static bool decode_string(struct decoder *d, const struct json_field *f, const cJSON *item,
                          void *out) {
    if (!cJSON_IsString(item)) return fail(d, "not a string");
    if (!text_copy(out, f->size, item->valuestring))
        return fail(d, "longer than %zu bytes", f->size - 1);
    return true;
}

static bool decode_text(struct decoder *d, const struct json_field *f, const cJSON *item,
                        void *out) {
    (void)f;
    if (!cJSON_IsString(item)) return fail(d, "not a string");
    *(char **)out = text_duplicate(item->valuestring);
    return true;
}

static bool decode_int(struct decoder *d, const struct json_field *f, const cJSON *item,
                       void *out) {
    (void)f;
    if (!cJSON_IsNumber(item) || floor(item->valuedouble) != item->valuedouble)
        return fail(d, "not a whole number");
    if (fabs(item->valuedouble) > (double)JSON_INT_MAX)
        return fail(d, "beyond %" PRId64 ", the largest whole number that is exact", JSON_INT_MAX);
    *(int64_t *)out = (int64_t)item->valuedouble;
    return true;
}

static bool decode_bool(struct decoder *d, const struct json_field *f, const cJSON *item,
                        void *out) {
    (void)f;
    if (!cJSON_IsBool(item)) return fail(d, "neither true nor false");
    *(bool *)out = cJSON_IsTrue(item);
    return true;
}

static bool add_label(struct decoder *d, const cJSON *member, struct text *labels) {
    OWN_TEXT struct text longer = TEXT_EMPTY;
    if (!cJSON_IsString(member))
        return fail(d, "value of \"%.*s\" is not a string", SHOWN_KEY_CHARACTERS, member->string);
    if (!labels_with(text_value(labels), member->string, member->valuestring, &longer, d->e))
        return wrap(d);
    text_clear(labels);
    text_add_bytes(labels, text_value(&longer), longer.length);
    return true;
}

static bool decode_labels(struct decoder *d, const struct json_field *f, const cJSON *item,
                          void *out) {
    (void)f;
    if (!cJSON_IsObject(item)) return fail(d, "not an object of strings");
    OWN_TEXT struct text labels = TEXT_EMPTY;
    for (const cJSON *member = item->child; member != NULL; member = member->next)
        if (!add_label(d, member, &labels)) return false;
    *(char **)out = text_take(&labels);
    return true;
}

static bool decode_label_changes(struct decoder *d, const struct json_field *f, const cJSON *item,
                                 void *out) {
    (void)f;
    if (!cJSON_IsObject(item)) return fail(d, "not an object of strings and nulls");
    if (cJSON_GetArraySize(item) > LABELS_MAX) return fail(d, "more than %d labels", LABELS_MAX);
    OWN_TEXT struct text lines = TEXT_EMPTY;
    for (const cJSON *member = item->child; member != NULL; member = member->next) {
        OWN_TEXT struct text line = TEXT_EMPTY;
        const char *value = cJSON_IsNull(member) ? "" : cJSON_GetStringValue(member);
        if (value == NULL)
            return fail(d, "value of \"%.*s\" is neither a string nor null", SHOWN_KEY_CHARACTERS,
                        member->string);
        if (!labels_with("", member->string, value, &line, d->e)) return wrap(d);
        if (lines.length > 0) text_add(&lines, "\n");
        text_add(&lines, cJSON_IsNull(member) ? member->string : text_value(&line));
    }
    *(char **)out = text_take(&lines);
    return true;
}

static bool decode_strings(struct decoder *d, const struct json_field *f, const cJSON *item,
                           void *out) {
    (void)f;
    if (!cJSON_IsArray(item)) return fail(d, "not an array of strings");
    OWN_TEXT struct text lines = TEXT_EMPTY;
    for (const cJSON *element = item->child; element != NULL; element = element->next) {
        const char *line = cJSON_GetStringValue(element);
        if (line == NULL) return fail(d, "holds something that is not a string");
        if (*line == '\0') return fail(d, "holds an empty string");
        if (strchr(line, '\n') != NULL) return fail(d, "holds a string with a line break");
        if (lines.length > 0) text_add(&lines, "\n");
        text_add(&lines, line);
    }
    *(char **)out = text_take(&lines);
    return true;
}

static bool decode_raw(struct decoder *d, const struct json_field *f, const cJSON *item,
                       void *out) {
    (void)f;
    char *text = cJSON_PrintUnformatted(item);
    if (text == NULL) {
        err_set(d->e, ERR_INTERNAL, "out of memory");
        return wrap(d);
    }
    *(char **)out = text;
    return true;
}

/* Field and count are set before the elements are decoded, so that json_clear finds whatever a
 * failure leaves. */
static bool decode_elements(struct decoder *d, const struct json_schema *schema, const cJSON *array,
                            void **items, size_t *count) {
    if (!cJSON_IsArray(array)) return fail(d, "not an array");
    if (cJSON_GetArraySize(array) == 0) return true;
    *count = (size_t)cJSON_GetArraySize(array);
    *items = memory_zeroed(*count, schema->size);
    struct place here = {.outer = d->place};
    d->place = &here;
    bool decoded = true;
    for (const cJSON *element = array->child; decoded && element != NULL; element = element->next) {
        decoded = decode_object(d, schema, element, (char *)*items + here.index * schema->size);
        here.index++;
    }
    d->place = here.outer;
    return decoded;
}

static bool decode_value(struct decoder *d, const struct json_field *f, const cJSON *item,
                         char *object) {
    static bool (*const decoders[])(struct decoder *, const struct json_field *, const cJSON *,
                                    void *) = {
        [JSON_STRING] = decode_string,   [JSON_TEXT] = decode_text,
        [JSON_INT] = decode_int,         [JSON_BOOL] = decode_bool,
        [JSON_LABELS] = decode_labels,   [JSON_LABEL_CHANGES] = decode_label_changes,
        [JSON_STRINGS] = decode_strings, [JSON_RAW] = decode_raw,
    };
    void *field = object + f->offset;
    if (f->type == JSON_OBJECT) return decode_object(d, f->sub, item, field);
    if (f->type == JSON_LIST)
        return decode_elements(d, f->sub, item, field, (size_t *)(object + f->count_offset));
    return decoders[f->type](d, f, item, field);
}

static bool decode_member(struct decoder *d, const struct json_field *f, const cJSON *item,
                          char *out) {
    if (item != NULL && f->present_offset != SIZE_MAX) *(bool *)(out + f->present_offset) = true;
    if (item != NULL && !cJSON_IsNull(item)) return decode_value(d, f, item, out);
    return !(f->flags & JSON_REQUIRED) || fail(d, "is missing");
}

static bool decode_field(struct decoder *d, const struct json_field *f, const cJSON *item,
                         char *out) {
    struct place here = {.outer = d->place, .field = f->name};
    d->place = &here;
    bool decoded = decode_member(d, f, item, out);
    d->place = here.outer;
    return decoded;
}

/* NULL when it is not there. Messages have their members in the order of the table: likely, behind
 * the last one that was found, is where the next one is. */
static const cJSON *find_member(const cJSON *object, const char *name, const cJSON **likely) {
    const cJSON *found = *likely;
    if (found == NULL || strcmp(found->string, name) != 0)
        found = cJSON_GetObjectItemCaseSensitive(object, name);
    if (found != NULL) *likely = found->next;
    return found;
}

static bool fail_unknown(const struct decoder *d, const struct json_schema *schema,
                         const char *key) {
    OWN_TEXT struct text allowed = TEXT_EMPTY;
    OWN_MEMORY const char **names = memory_zeroed(schema->field_count, sizeof *names);
    for (size_t i = 0; i < schema->field_count; i++) {
        names[i] = schema->fields[i].name;
        text_add_format(&allowed, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    fail(d, "unknown key \"%.*s\"; allowed are %s", SHOWN_KEY_CHARACTERS, key,
         text_value(&allowed));
    const char *closest = options_closest(key, names, schema->field_count);
    return closest != NULL ? err_hint(d->e, "did you mean \"%s\"?", closest) : false;
}

static bool known_key(const struct json_schema *schema, const char *key) {
    for (size_t i = 0; i < schema->field_count; i++)
        if (strcmp(schema->fields[i].name, key) == 0) return true;
    return false;
}

static bool keys_known(const struct decoder *d, const struct json_schema *schema,
                       const cJSON *object) {
    for (const cJSON *member = object->child; member != NULL; member = member->next)
        if (!known_key(schema, member->string)) return fail_unknown(d, schema, member->string);
    return true;
}

static bool decode_object(struct decoder *d, const struct json_schema *schema, const cJSON *item,
                          void *out) {
    if (!cJSON_IsObject(item)) return fail(d, "not an object");
    if (d->unknown == JSON_REJECT_UNKNOWN && !keys_known(d, schema, item)) return false;
    const cJSON *likely = item->child;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct json_field *f = &schema->fields[i];
        if (!decode_field(d, f, find_member(item, f->name, &likely), out)) return false;
    }
    return true;
}

/* tree: NULL with the error set. */
static bool decode(struct decoder *d, const cJSON *tree, void *out) {
    memset(out, 0, d->schema->size);
    if (tree == NULL || !all_keys_unique(tree, d->e)) return wrap(d);
    if (decode_object(d, d->schema, tree, out)) return true;
    json_clear(d->schema, out);
    return false;
}

bool json_decode(const struct json_schema *schema, const char *json, size_t length,
                 enum json_unknown unknown, void *out, struct err *e) {
    struct decoder d = {.unknown = unknown, .schema = schema, .e = e};
    OWN(tree) cJSON *tree = parse(json, length, e);
    return decode(&d, tree, out);
}

bool json_decode_secret(const struct json_schema *schema, const char *json, size_t length,
                        enum json_unknown unknown, void *out, struct err *e) {
    struct decoder d = {.unknown = unknown, .schema = schema, .e = e};
    OWN(secret_tree) cJSON *tree = parse(json, length, e);
    return decode(&d, tree, out);
}

bool json_decode_list(const struct json_schema *schema, const char *json, size_t length,
                      void **items, size_t *count, struct err *e) {
    struct decoder d = {.unknown = JSON_IGNORE_UNKNOWN, .schema = schema, .e = e};
    *items = NULL;
    *count = 0;
    OWN(tree) cJSON *tree = parse(json, length, e);
    if (tree == NULL || !all_keys_unique(tree, e)) return wrap(&d);
    if (decode_elements(&d, schema, tree, items, count)) return true;
    json_clear_list(schema, *items, *count);
    *items = NULL;
    *count = 0;
    return false;
}

bool json_check(const char *json, size_t length, struct err *e) {
    OWN(tree) cJSON *tree = parse(json, length, e);
    return tree != NULL && all_keys_unique(tree, e);
}
