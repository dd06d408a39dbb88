#include "cli/label_changes.h"

#include "lib/json.h"

#include <string.h>

static bool add_change(const char *change, struct text *out, struct err *e) {
    OWN_MEMORY char *key = text_duplicate(change);
    char *equals = strchr(key, '=');
    size_t length = strlen(key);
    bool removes = equals == NULL && length > 1 && key[length - 1] == '-';
    if (equals == key || (equals == NULL && !removes)) {
        err_set(e, ERR_USAGE, "\"%s\" is no label change", change);
        return err_hint(e, "KEY=VALUE sets a label, KEY- removes it");
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    *(equals != NULL ? equals : key + length - 1) = '\0';
    json_quote(key, out);
    text_add(out, ":");
    if (value != NULL)
        json_quote(value, out);
    else
        text_add(out, "null");
    return true;
}

bool label_changes_json(char *const *changes, size_t count, const char *channel, struct text *out,
                        struct err *e) {
    if (count == 0 && channel[0] == '\0') {
        err_set(e, ERR_USAGE, "nothing to change was given");
        return err_hint(e, "KEY=VALUE, KEY-, or --channel NAME");
    }
    text_add(out, "{");
    if (count > 0) text_add(out, "\"labels\":{");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) text_add(out, ",");
        if (!add_change(changes[i], out, e)) return false;
    }
    if (count > 0) text_add(out, "}");
    if (channel[0] != '\0') {
        text_add(out, count > 0 ? ",\"channel\":" : "\"channel\":");
        json_quote(channel, out);
    }
    text_add(out, "}");
    return true;
}
