#include "lib/log.h"

#include "lib/clock.h"
#include "lib/log_recent.h"
#include "lib/text.h"
#include "lib/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *program_name = "grid";
static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_words[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_setup(const char *program, enum log_level level, enum log_format format) {
    program_name = program;
    least_level = level;
    line_format = format;
}

bool log_level_parse(const char *text, enum log_level *out) {
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(text, level_names[level]) != 0) continue;
        *out = (enum log_level)level;
        return true;
    }
    return false;
}

bool log_configure(const char *program, const char *level, const char *format, struct err *e) {
    enum log_level least = LOG_INFO;
    if (!log_level_parse(level, &least))
        return err_set(e, ERR_USAGE, "--log-level %s: debug, info, warn or error would do", level);
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0)
        return err_set(e, ERR_USAGE, "--log-format %s: text or json would do", format);
    log_setup(program, least, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    return true;
}

/* A structure, so that a pointer to it walks the same list on every architecture. */
struct arguments {
    va_list list;
};

/* One conversion of a format: "%-*.3lld" with the stars replaced and the length taken out. */
struct conversion {
    char prefix[48]; /* '%', flags, width, precision */
    char length;     /* 0, 'H' for hh, 'h', 'l', 'L' for ll, 'j', 'z', 't' */
    char letter;
};

static const char *parse_length(const char *format, char *length) {
    *length = '\0';
    if (*format == '\0' || strchr("hljzt", *format) == NULL) return format;
    *length = *format++;
    if ((*length == 'h' || *length == 'l') && *format == *length) {
        *length = *length == 'h' ? 'H' : 'L';
        format++;
    }
    return format;
}

/* Takes the conversion apart that begins at the '%' of format; returns what follows it. */
static const char *parse_conversion(const char *format, struct arguments *arguments,
                                    struct conversion *out) {
    size_t used = 0;
    do {
        char number[16] = {*format, '\0'};
        if (*format == '*') snprintf(number, sizeof number, "%d", va_arg(arguments->list, int));
        size_t length = strlen(number);
        if (used + length < sizeof out->prefix) {
            memcpy(out->prefix + used, number, length);
            used += length;
        }
        format++;
    } while (*format != '\0' && strchr("-+ #0123456789.*", *format) != NULL);
    out->prefix[used] = '\0';
    format = parse_length(format, &out->length);
    out->letter = *format;
    return *format != '\0' ? format + 1 : format;
}

static intmax_t take_signed(struct arguments *arguments, char length) {
    switch (length) {
    case 'H':
        return (signed char)va_arg(arguments->list, int);
    case 'h':
        return (short)va_arg(arguments->list, int);
    case 'l':
        return va_arg(arguments->list, long);
    case 'L':
        return va_arg(arguments->list, long long);
    case 'j':
        return va_arg(arguments->list, intmax_t);
    case 'z':
        return va_arg(arguments->list, ssize_t);
    case 't':
        return va_arg(arguments->list, ptrdiff_t);
    default:
        return va_arg(arguments->list, int);
    }
}

static uintmax_t take_unsigned(struct arguments *arguments, char length) {
    switch (length) {
    case 'H':
        return (unsigned char)va_arg(arguments->list, unsigned);
    case 'h':
        return (unsigned short)va_arg(arguments->list, unsigned);
    case 'l':
        return va_arg(arguments->list, unsigned long);
    case 'L':
        return va_arg(arguments->list, unsigned long long);
    case 'j':
        return va_arg(arguments->list, uintmax_t);
    case 'z':
        return va_arg(arguments->list, size_t);
    case 't':
        return (uintmax_t)va_arg(arguments->list, ptrdiff_t);
    default:
        return va_arg(arguments->list, unsigned);
    }
}

/* Prints the next argument onto value as the conversion says. The compiler checked the types where
 * the line was written. */
static void add_argument(struct text *value, const struct conversion *c,
                         struct arguments *arguments) {
    char format[sizeof c->prefix + 4];
    bool integer = strchr("diuoxX", c->letter) != NULL;
    snprintf(format, sizeof format, "%s%s%c", c->prefix, integer ? "j" : "", c->letter);
    switch (c->letter) {
    case 'd':
    case 'i':
        text_add_format(value, format, take_signed(arguments, c->length));
        break;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        text_add_format(value, format, take_unsigned(arguments, c->length));
        break;
    case 'c':
        text_add_format(value, format, va_arg(arguments->list, int));
        break;
    case 's':
        text_add_format(value, format, va_arg(arguments->list, const char *));
        break;
    case 'p':
        text_add_format(value, format, va_arg(arguments->list, void *));
        break;
    case '%':
        text_add(value, "%");
        break;
    default:
        text_add_format(value, format, va_arg(arguments->list, double));
        break;
    }
}

/* Length of "key=" at the start of format, 0 when there is no key. */
static size_t key_length(const char *format) {
    size_t length = strspn(format, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return length > 0 && format[length] == '=' ? length + 1 : 0;
}

/* Prints everything up to the next " key=" onto value; *number says that it is one decimal integer
 * and nothing else. Returns what follows, at the next key or the end. */
static const char *format_value(const char *format, struct arguments *arguments, struct text *value,
                                bool *number) {
    const char *begin = format;
    const char *end_of_number = NULL;
    while (*format != '\0' && !(*format == ' ' && key_length(format + 1) > 0)) {
        if (*format != '%') {
            text_add_bytes(value, format++, 1);
            continue;
        }
        struct conversion c;
        bool first = format == begin;
        format = parse_conversion(format, arguments, &c);
        add_argument(value, &c, arguments);
        bool plain = strcmp(c.prefix, "%") == 0 && strchr("diu", c.letter) != NULL;
        if (first && plain) end_of_number = format;
    }
    *number = end_of_number == format;
    return *format == ' ' ? format + 1 : format;
}

/* C0, DEL and C1: what a terminal would act upon. */
static bool is_control(const char *character, size_t length) {
    unsigned char first = (unsigned char)character[0];
    return (length == 1 && (first < 0x20 || first == 0x7F)) ||
           (length == 2 && first == 0xC2 && (unsigned char)character[1] < 0xA0);
}

static bool needs_quotes(const char *value) {
    if (*value == '\0') return true;
    for (size_t rest = strlen(value); rest > 0;) {
        size_t length = utf8_character(value, rest);
        if (length == 0 || strchr(" \"=", *value) != NULL || is_control(value, length)) return true;
        value += length;
        rest -= length;
    }
    return false;
}

static void add_escaped(struct text *line, const char *character, size_t length) {
    static const char from[] = "\"\\\n\r\t";
    static const char to[] = "\"\\nrt";
    const char *found = strchr(from, *character);
    if (length == 0 && line_format == LOG_FORMAT_JSON)
        text_add(line, "\\ufffd");
    else if (length == 0)
        text_add_format(line, "\\x%02x", (unsigned)(unsigned char)*character);
    else if (length == 1 && found != NULL)
        text_add_format(line, "\\%c", to[found - from]);
    else if (is_control(character, length))
        text_add_format(line, "\\u%04x", (unsigned)(unsigned char)character[length - 1]);
    else
        text_add_bytes(line, character, length);
}

/* The same escapes in both formats, but for malformed bytes, which JSON cannot hold. */
static void add_quoted(struct text *line, const char *value) {
    text_add(line, "\"");
    for (size_t rest = strlen(value); rest > 0;) {
        size_t length = utf8_character(value, rest);
        add_escaped(line, value, length);
        size_t step = length > 0 ? length : 1;
        value += step;
        rest -= step;
    }
    text_add(line, "\"");
}

static void add_field(struct text *line, const char *key, size_t length, const char *value,
                      bool number) {
    bool json = line_format == LOG_FORMAT_JSON;
    text_add_format(line, json ? ",\"%.*s\":" : " %.*s=", (int)length, key);
    if (json ? !number : needs_quotes(value))
        add_quoted(line, value);
    else
        text_add(line, value);
}

static void add_fields(struct text *line, const char *format, struct arguments *arguments) {
    OWN_TEXT struct text value = TEXT_EMPTY;
    while (*format != '\0') {
        const char *key = format;
        size_t length = key_length(format);
        format += length;
        bool number = false;
        text_clear(&value);
        format = format_value(format, arguments, &value, &number);
        if (length > 0)
            add_field(line, key, length - 1, value.data, number);
        else
            add_field(line, "text", strlen("text"), value.data, number);
    }
}

static void add_head(struct text *line, enum log_level level, const char *event) {
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall_ms(), at);
    if (line_format == LOG_FORMAT_JSON)
        text_add_format(line, "{\"at\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"event\":\"%s\"",
                        at, level_names[level], program_name, event);
    else
        text_add_format(line, "%s %s %s %s", at, level_words[level], program_name, event);
}

/* One write per line, so that lines of threads and processes that share stderr stay whole. */
static void write_line(const struct text *line) {
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line->data, line->length);
    } while (written < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *event, const char *format, ...) {
    if (level < least_level) return;
    int saved_errno = errno;
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct arguments arguments;
    add_head(&line, level, event);
    va_start(arguments.list, format);
    add_fields(&line, format, &arguments);
    va_end(arguments.list);
    text_add(&line, line_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(&line);
    log_recent_add(line.data, line.length);
    errno = saved_errno;
}
