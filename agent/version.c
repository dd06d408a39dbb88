#include "agent/version.h"

static const struct json_field fields[] = {
    J(JSON_STRING, struct version, sha256, JSON_REQUIRED),
    J(JSON_INT, struct version, size_bytes, JSON_REQUIRED),
    J(JSON_STRING, struct version, file, JSON_REQUIRED),
    J(JSON_STRING, struct version, version, 0),
    J(JSON_INT, struct version, targets_version, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct version, signature, JSON_OMIT_EMPTY),
};
const struct json_schema version_schema = JSON_SCHEMA(struct version, fields);

bool version_proven(const struct version *v) {
    return v->targets_version > 0 || (v->signature != NULL && v->signature[0] != '\0');
}

void version_clear(struct version *v) {
    json_clear(&version_schema, v);
}

void version_copy(struct version *target, const struct version *source) {
    version_clear(target);
    *target = *source;
    target->signature = text_duplicate(source->signature);
}
