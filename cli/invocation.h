/* One run of one command: what its handler is given, and how handlers talk to the person. */
#pragma once

#include "cli/command.h"
#include "cli/output.h"

struct api;

struct invocation {
    const struct command *command;
    const struct settings *settings;
    char **arguments;
    int argument_count;
    enum output_format format;
    struct output_style style; /* of stdout */
    struct output_style stderr_style;
    struct api *api;
    int exit_code; /* set by a handler that returns true and still has bad news */
};

/* Whether output is for people (-o table, wide) and not for scripts. */
bool invocation_for_people(const struct invocation *call);

/* A remark for people on stderr; nothing with -o json and -o name. A line feed is added. */
void invocation_note(const struct invocation *call, const char *format, ...) PRINTF_LIKE(2, 3);

/* Asks before something that cannot be undone. --yes answers it; without a terminal to ask on it is
 * ERR_USAGE, a no is ERR_UNAVAILABLE. */
MUST_CHECK bool invocation_confirm(const struct invocation *call, struct err *e, const char *format,
                                   ...) PRINTF_LIKE(3, 4);

/* What "--dry-run" says instead of doing: "would <...>" on stdout. */
MUST_CHECK bool invocation_would(const struct invocation *call, struct err *e, const char *format,
                                 ...) PRINTF_LIKE(3, 4);

/* Carries out one for each argument. One argument: its error is the error. Several: each failure is
 * told on stderr, the others go on, and the exit code is 8 when some succeeded. */
typedef bool invocation_one(struct invocation *call, const char *argument, struct err *e);
MUST_CHECK bool invocation_each(struct invocation *call, char *const *arguments, int count,
                                invocation_one *one, struct err *e);

/* "gridctl: agent "x" not found" and "Next: ..." on stderr. */
void invocation_report(const struct err *e, const struct command *command);

/* The same as text; c may be NULL. Pure. */
void invocation_failure(const struct err *e, const struct command *c, struct text *out);
