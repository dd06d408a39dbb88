#include "lib/tuf_custom.h"

#include "lib/json.h"

#include <string.h>

/* In the order of their names, which is that of canonical JSON. */
static const struct json_field custom_fields[] = {
    J_NAMED(JSON_STRING, struct tuf_custom, id.arch, "arch", JSON_REQUIRED),
    J(JSON_STRING, struct tuf_custom, floor, JSON_OMIT_EMPTY),
    J_NAMED(JSON_STRING, struct tuf_custom, id.name, "name", JSON_REQUIRED),
    J_NAMED(JSON_STRING, struct tuf_custom, id.platform, "platform", JSON_REQUIRED),
    J(JSON_INT, struct tuf_custom, release, JSON_REQUIRED),
    J_NAMED(JSON_STRING, struct tuf_custom, id.version, "version", JSON_REQUIRED),
    J(JSON_BOOL, struct tuf_custom, yanked, JSON_OMIT_EMPTY),
};
static const struct json_schema custom_schema = JSON_SCHEMA(struct tuf_custom, custom_fields);

bool tuf_custom_parse(const char *json, struct tuf_custom *out, struct err *e) {
    struct artifact_name checked;
    if (!json_decode(&custom_schema, json, strlen(json), JSON_IGNORE_UNKNOWN, out, e)) return false;
    if (!artifact_name_make(out->id.name, out->id.version, out->id.platform, out->id.arch, &checked,
                            e))
        return err_wrap(e, "custom");
    out->id = checked;
    if (out->release < 1) return err_set(e, ERR_INVALID, "custom.release: not a number from 1 on");
    if (out->floor[0] != '\0' && !semver_valid(out->floor))
        return err_set(e, ERR_INVALID, "custom.floor: %s is no version", out->floor);
    return true;
}

bool tuf_custom_of(const struct tuf_target *target, struct tuf_custom *out, struct err *e) {
    struct artifact_name id;
    char file[ARTIFACT_FILE_SIZE];
    if (!artifact_name_parse(target->path, &id, e)) return err_wrap(e, "targets");
    if (target->custom == NULL)
        return err_set(e, ERR_INVALID, "targets: %s has no custom", target->path);
    if (!tuf_custom_parse(target->custom, out, e)) return err_wrap(e, "targets: %s", target->path);
    return strcmp(artifact_file_name(&out->id, file), target->path) == 0 ||
           err_set(e, ERR_INVALID, "targets: custom of %s is another build's", target->path);
}

void tuf_custom_raise_floor(const struct tuf_custom *custom, const char *name,
                            char floor[SEMVER_SIZE]) {
    if (custom->floor[0] == '\0' || strcmp(custom->id.name, name) != 0) return;
    if (floor[0] == '\0' || semver_compare(custom->floor, floor) > 0)
        memcpy(floor, custom->floor, SEMVER_SIZE);
}

void tuf_custom_write(const struct tuf_custom *custom, struct text *out) {
    json_encode(&custom_schema, custom, out);
}

void tuf_custom_set(struct tuf_target *target, const struct tuf_custom *custom) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    tuf_custom_write(custom, &json);
    free(target->custom);
    target->custom = text_take(&json);
}
