#include "lib/manual.h"

#include <ctype.h>
#include <stdio.h>

bool manual_ends_with(const struct manual *m, int exit_code) {
    static const int codes[] = {
#define CODE(code, name, status, title, exit_code_) exit_code_,
        ERR_CODES(CODE)
#undef CODE
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == exit_code) return true;
    return m->many;
}

void manual_help(const struct manual *m, const void *settings, struct text *out) {
    text_add_format(out, "Usage: %s %s\n%c%s.\n\n", m->program, m->usage,
                    toupper((unsigned char)m->summary[0]), m->summary + 1);
    options_help(m->options, settings, out);
    text_add_format(out, "\nMore: man %s\n", m->program);
}

int manual_print(const struct manual *m, const void *settings) {
    OWN_TEXT struct text page = TEXT_EMPTY;
    manual_help(m, settings, &page);
    return fputs(page.data, stdout) == EOF || fflush(stdout) == EOF;
}
