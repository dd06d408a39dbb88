/* The part of lib/options.h that reads configuration files. */
#include "lib/options_internal.h"
#include "lib/utf8.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SPACES " \t"
#define SHOWN_CHARACTERS 40

/* inih tells sections, keys and malformed lines; it gets every line without its value, which is
 * taken from the line itself: inih knows no quotes, cuts long lines in two and takes an indented
 * key for more of the value above. */
struct file {
    const struct options *o;
    void *settings;
    const char *path;
    FILE *stream;
    char *line; /* as getline keeps it */
    size_t line_capacity;
    const char *value; /* of a line with a key: what follows the '=' */
    bool *seen;
    int line_number;
    int failed_line; /* 0: none; reading stops at the first */
    struct err *e;
};

static bool PRINTF_LIKE(2, 3) fail(struct file *f, const char *format, ...) {
    char words[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    f->failed_line = f->line_number;
    return err_set(f->e, ERR_USAGE, "%s:%d: %s", f->path, f->line_number, words);
}

static bool is_comment(const char *words) {
    return *words == '#' || *words == ';';
}

static bool ends_here(const char *words) {
    words += strspn(words, SPACES);
    return *words == '\0' || is_comment(words);
}

static bool take_quoted(struct file *f, const char *value, struct text *out) {
    char quote = *value++;
    while (*value != '\0' && *value != quote) {
        if (*value == '\\' && (value[1] == quote || value[1] == '\\')) value++;
        text_add_bytes(out, value++, 1);
    }
    if (*value == '\0') return fail(f, "a quote is not closed");
    if (!ends_here(value + 1)) return fail(f, "something follows the closing quote");
    return true;
}

/* Without quotes a value ends before white space and a '#' or ';'. */
static void take_bare(const char *value, struct text *out) {
    size_t length = 0;
    for (size_t i = 0; value[i] != '\0'; i++) {
        if (is_comment(value + i) && (i == 0 || strchr(SPACES, value[i - 1]) != NULL)) break;
        if (strchr(SPACES, value[i]) == NULL) length = i + 1;
    }
    text_add_bytes(out, value, length);
}

static bool take_value(struct file *f, struct text *out) {
    const char *value = f->value + strspn(f->value, SPACES);
    if (*value == '"' || *value == '\'') return take_quoted(f, value, out);
    take_bare(value, out);
    return true;
}

static size_t section_length(const char *key) {
    const char *dot = strchr(key, '.');
    return dot != NULL ? (size_t)(dot - key) : 0;
}

static const char *key_name(const char *key) {
    const char *dot = strchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

static bool in_section(const struct option_entry *entry, const char *section) {
    return entry->key != NULL && section_length(entry->key) == strlen(section) &&
           strncmp(entry->key, section, strlen(section)) == 0;
}

static bool fail_unknown_section(struct file *f, const char *section) {
    OWN_MEMORY char **names = memory_zeroed(f->o->count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < f->o->count; i++) {
        const char *key = f->o->entries[i].key;
        if (key != NULL) names[count++] = strndup(key, section_length(key));
    }
    if (*section == '\0')
        fail(f, "a key stands before the first [section]");
    else
        fail(f, "unknown section [%.*s]", SHOWN_CHARACTERS, section);
    const char *closest = options_closest(section, (const char *const *)names, count);
    if (closest != NULL) err_hint(f->e, "did you mean [%s]?", closest);
    for (size_t i = 0; i < count; i++) free(names[i]);
    return false;
}

static bool fail_unknown_key(struct file *f, const char *section, const char *name) {
    OWN_MEMORY const char **names = memory_zeroed(f->o->count, sizeof *names);
    const char *home = NULL; /* the key of this name in another section */
    size_t count = 0;
    for (size_t i = 0; i < f->o->count; i++) {
        const struct option_entry *entry = &f->o->entries[i];
        if (entry->key == NULL) continue;
        if (in_section(entry, section)) names[count++] = key_name(entry->key);
        if (strcmp(key_name(entry->key), name) == 0) home = entry->key;
    }
    if (count == 0) return fail_unknown_section(f, section);
    fail(f, "unknown key %.*s in [%s]", SHOWN_CHARACTERS, name, section);
    if (home != NULL)
        return err_hint(f->e, "%s belongs in [%.*s]", name, (int)section_length(home), home);
    const char *closest = options_closest(name, names, count);
    return closest != NULL ? err_hint(f->e, "did you mean %s?", closest) : false;
}

static bool store_key(struct file *f, size_t i, const char *name) {
    const struct option_entry *entry = &f->o->entries[i];
    OWN_TEXT struct text value = TEXT_EMPTY;
    OWN_TEXT struct text origin = TEXT_EMPTY;
    if (!take_value(f, &value)) return false;
    if (f->seen[i] && entry->type != OPTION_LIST) return fail(f, "%s is set twice", name);
    if (!f->seen[i]) options_empty_list(entry, f->settings);
    f->seen[i] = true;
    text_add_format(&origin, "%s:%d: %s", f->path, f->line_number, name);
    if (options_store(entry, text_value(&value), origin.data, f->settings, f->e)) return true;
    f->failed_line = f->line_number;
    return false;
}

/* For inih: 1 is success. */
static int take_key(void *user, const char *section, const char *name, const char *unused) {
    struct file *f = user;
    (void)unused;
    for (size_t i = 0; i < f->o->count; i++) {
        const struct option_entry *entry = &f->o->entries[i];
        if (in_section(entry, section) && strcmp(key_name(entry->key), name) == 0)
            return store_key(f, i, name) ? 1 : 0;
    }
    return fail_unknown_key(f, section, name) ? 1 : 0;
}

static bool line_is_text(struct file *f, const char *line, size_t length) {
    for (size_t i = 0; i < length;) {
        size_t character = utf8_character(line + i, length - i);
        if (character == 0) return fail(f, "not UTF-8");
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7F)
            return fail(f, "holds a control character");
        i += character;
    }
    return true;
}

/* Hands inih what it needs of the line: all of a section's, up to the '=' of a key's, nothing of a
 * comment. */
static bool hand_on(struct file *f, const char *line, char *out, size_t size) {
    size_t length = strlen(line);
    const char *close = strchr(line, ']');
    out[0] = '\0';
    if (is_comment(line)) return true;
    if (*line == '[' && close != NULL && !ends_here(close + 1))
        return fail(f, "something follows the section's ']'");
    if (*line != '[' && strcspn(line, "=:") < length) {
        length = strcspn(line, "=:") + 1;
        f->value = line + length;
    }
    if (length >= size) return fail(f, "longer than %zu characters", size - 1);
    memcpy(out, line, length);
    out[length] = '\0';
    return true;
}

/* For inih, in the manner of fgets. */
static char *read_line(char *out, int size, void *user) {
    struct file *f = user;
    if (f->failed_line != 0) return NULL;
    ssize_t got = getline(&f->line, &f->line_capacity, f->stream);
    if (got < 0) return NULL;
    f->line_number++;
    size_t length = (size_t)got;
    if (length > 0 && f->line[length - 1] == '\n') length--;
    if (length > 0 && f->line[length - 1] == '\r') length--;
    char *line = f->line;
    line[length] = '\0';
    if (f->line_number == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0) line += 3;
    if (!line_is_text(f, line, length - (size_t)(line - f->line))) return NULL;
    line += strspn(line, SPACES);
    return hand_on(f, line, out, (size_t)size) ? out : NULL;
}

static bool read_all(struct file *f) {
    int bad_line = ini_parse_stream(read_line, f, take_key, f);
    if (ferror(f->stream)) return err_errno(f->e, errno, "configuration %s", f->path);
    if (bad_line > 0 && bad_line != f->failed_line) {
        f->line_number = bad_line;
        return fail(f, "neither a [section] nor key = value");
    }
    return f->failed_line == 0;
}

bool options_file_read(const struct options *o, const char *path, void *settings, struct err *e) {
    struct file f = {.o = o, .settings = settings, .path = path, .e = e};
    f.stream = fopen(path, "re");
    if (f.stream == NULL) return err_errno(e, errno, "configuration %s", path);
    f.seen = memory_zeroed(o->count, sizeof *f.seen);
    bool read = read_all(&f);
    fclose(f.stream);
    free(f.line);
    free(f.seen);
    return read;
}
