#include "agent/sealed.h"

#include "lib/file.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SEALED_MAX = 256 * 1024, LINE_SIZE = 64 };

static void seal(const char *magic, const char *json, size_t length, char line[LINE_SIZE]) {
    snprintf(line, LINE_SIZE, "%s %08" PRIx32 "\n", magic, crc32c(0, json, length));
}

static bool unseal(const struct text *file, const char *magic, struct text *json, struct err *e) {
    char line[LINE_SIZE];
    const char *end = file->length > 0 ? memchr(file->data, '\n', file->length) : NULL;
    if (end == NULL) return err_set(e, ERR_CORRUPT, "it has no first line");
    size_t head = (size_t)(end + 1 - file->data);
    seal(magic, end + 1, file->length - head, line);
    if (head != strlen(line) || memcmp(file->data, line, head) != 0)
        return err_set(e, ERR_CORRUPT, "its checksum does not hold");
    text_add_bytes(json, end + 1, file->length - head);
    return true;
}

bool sealed_read(const char *path, const char *magic, struct text *json, struct err *e) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    return file_read(path, SEALED_MAX, &file, e) &&
           (unseal(&file, magic, json, e) || err_wrap(e, "%s", path));
}

bool sealed_write(const char *path, const char *magic, const struct text *json, struct err *e) {
    char line[LINE_SIZE];
    OWN_TEXT struct text file = TEXT_EMPTY;
    seal(magic, text_value(json), json->length, line);
    text_add(&file, line);
    text_add_bytes(&file, text_value(json), json->length);
    return file_write_durable(path, file.data, file.length, 0600, e);
}
