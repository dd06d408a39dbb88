#include "cli/invocation.h"

#include "cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXIT_PARTIAL 8

bool invocation_for_people(const struct invocation *call) {
    return call->format == OUTPUT_TABLE || call->format == OUTPUT_WIDE;
}

void invocation_note(const struct invocation *call, const char *format, ...) {
    if (!invocation_for_people(call)) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

bool invocation_confirm(const struct invocation *call, struct err *e, const char *format, ...) {
    if (call->settings->yes) return true;
    char question[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(question, sizeof question, format, arguments);
    va_end(arguments);
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(call->command, &name);
    if (!terminal_present()) {
        err_set(e, ERR_USAGE, "%s asks before it acts, and there is no terminal to ask on",
                text_value(&name));
        return err_hint(e, "the same command with --yes");
    }
    if (terminal_confirm(question)) return true;
    return err_set(e, ERR_UNAVAILABLE, "nothing was done");
}

bool invocation_would(const struct invocation *call, struct err *e, const char *format, ...) {
    (void)call;
    char words[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    OWN_TEXT struct text out = TEXT_EMPTY;
    text_add_format(&out, "would %s\n", words);
    return output_emit(&out, e);
}

bool invocation_each(struct invocation *call, char *const *arguments, int count,
                     invocation_one *one, struct err *e) {
    int failed = 0;
    for (int i = 0; i < count; i++) {
        struct err each = {0};
        if (one(call, arguments[i], &each)) continue;
        failed++;
        *e = each;
        if (count == 1 || each.code == ERR_UNREACHABLE) return false;
        invocation_report(&each, call->command);
    }
    if (failed == 0) return true;
    if (failed < count) {
        call->exit_code = EXIT_PARTIAL;
        return true;
    }
    call->exit_code = err_exit_code(e->code);
    return true;
}

/* What to try when neither the master nor the handler said it. */
static void default_hint(const struct err *e, const struct command *c, struct text *out) {
    bool lists = c != NULL && c->verb != NULL && strcmp(c->noun, "backup") != 0 &&
                 strcmp(c->noun, "event") != 0;
    if (e->code == ERR_NOT_FOUND && lists)
        text_add_format(out, "gridctl %s list", c->noun);
    else if (e->code == ERR_USAGE && c != NULL)
        text_add_format(out, "gridctl %s%s%s --help", c->noun, c->verb != NULL ? " " : "",
                        c->verb != NULL ? c->verb : "");
    else if (e->code == ERR_DENIED)
        text_add(out, "a token with a higher role, in GRID_TOKEN or --token-file");
    else if (e->code == ERR_TIMEOUT)
        text_add(out, "a longer --timeout, such as 2m");
    else if (e->code == ERR_UNREACHABLE || e->code == ERR_INTERNAL)
        text_add(out, "gridctl doctor");
}

void invocation_failure(const struct err *e, const struct command *c, struct text *out) {
    static const struct output_style style = {.utf8 = true};
    OWN_TEXT struct text hint = TEXT_EMPTY;
    if (e->hint[0] != '\0')
        text_add(&hint, e->hint);
    else
        default_hint(e, c, &hint);
    text_add(out, "gridctl: ");
    output_clean(e->text[0] != '\0' ? e->text : err_code_title(e->code), false, &style, out);
    text_add(out, "\n");
    if (hint.length == 0) return;
    if (strncmp(text_value(&hint), "did you mean", 12) != 0) text_add(out, "Next: ");
    output_clean(text_value(&hint), false, &style, out);
    text_add(out, "\n");
}

void invocation_report(const struct err *e, const struct command *command) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    invocation_failure(e, command, &words);
    fputs(text_value(&words), stderr);
}
