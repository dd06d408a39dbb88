#include "manual/mdoc.h"

#include <ctype.h>
#include <string.h>

static void add_escaped(char c, struct text *out) {
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {
        {'\\', "\\e"  },
        {'"',  "\\(dq"},
        {'\'', "\\(aq"},
        {'`',  "\\(ga"},
        {'^',  "\\(ha"},
        {'~',  "\\(ti"},
        {'-',  "\\-"  },
    };
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        if (escapes[i].c == c) {
            text_add(out, escapes[i].escape);
            return;
        }
    text_add_bytes(out, &c, 1);
}

static void add_escaped_words(const char *words, size_t length, struct text *out) {
    for (size_t i = 0; i < length; i++) add_escaped(words[i], out);
}

/* mdoc wants each sentence on a line of its own. */
static size_t sentence_length(const char *words, size_t length) {
    for (size_t i = 0; i + 2 < length; i++)
        if (words[i] == '.' && words[i + 1] == ' ' && isupper((unsigned char)words[i + 2]))
            return i + 1;
    return length;
}

static void add_line(const char *line, size_t length, struct text *out) {
    if (length > 0 && (line[0] == '.' || line[0] == '\'')) text_add(out, "\\&");
    for (size_t part; length > 0; line += part, length -= part) {
        part = sentence_length(line, length);
        add_escaped_words(line, part, out);
        text_add(out, "\n");
        if (part < length) part++; /* the space between */
    }
}

void mdoc_text(const char *words, struct text *out) {
    while (*words != '\0') {
        size_t length = strcspn(words, "\n");
        if (length > 0)
            add_line(words, length, out);
        else
            text_add(out, ".Pp\n");
        words += length;
        if (*words == '\n') words++;
    }
}

void mdoc_sentence(const char *sentence, struct text *out) {
    OWN_TEXT struct text line = TEXT_EMPTY;
    text_add_format(&line, "%c%s.", toupper((unsigned char)sentence[0]), sentence + 1);
    add_line(line.data, line.length, out);
}

/* What mdoc would take for a macro ("Fl") or for punctuation ("|"). */
static bool has_meaning(const char *word, size_t length) {
    if (length == 1) return ispunct((unsigned char)word[0]) != 0;
    return length <= 3 && isupper((unsigned char)word[0]) && islower((unsigned char)word[1]);
}

void mdoc_words(const char *words, struct text *out) {
    for (words += strspn(words, " "); *words != '\0'; words += strspn(words, " ")) {
        size_t length = strcspn(words, " ");
        text_add(out, has_meaning(words, length) ? " \\&" : " ");
        add_escaped_words(words, length, out);
        words += length;
    }
}

void mdoc_macro(const char *macro, const char *words, struct text *out) {
    text_add_format(out, ".%s", macro);
    mdoc_words(words, out);
    text_add(out, "\n");
}

void mdoc_head(const char *name, int section, const char *date, const char *summary,
               struct text *out) {
    OWN_TEXT struct text title = TEXT_EMPTY;
    for (const char *at = name; *at != '\0'; at++) {
        char upper = (char)toupper((unsigned char)*at);
        text_add_bytes(&title, &upper, 1);
    }
    text_add_format(out, ".Dd %s\n.Dt %s %d\n.Os grid " GRID_VERSION "\n.Sh NAME\n.Nm %s\n", date,
                    title.data, section, name);
    mdoc_macro("Nd", summary, out);
}

void mdoc_reference(const char *page, const char *behind, struct text *out) {
    size_t length = strcspn(page, "(");
    text_add_format(out, ".Xr %.*s %.1s%s\n", (int)length, page, page + length + 1, behind);
}
