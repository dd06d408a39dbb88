/* The person in front of the program: what their terminal can show, their yes or no, secrets typed
 * unseen, Ctrl-C. One thread. */
#pragma once

#include "cli/output.h"

/* Once at start: character classes of UTF-8, and Ctrl-C, which ends the program with 130. */
void terminal_setup(void);

/* What descriptor fd can show: colours and a width only on a terminal; NO_COLOR and TERM=dumb
 * forbid colours. */
void terminal_style(int fd, struct output_style *out);

/* Whether output may be UTF-8 by the three variables in order of precedence (NULL: not set). Nobody
 * said anything: yes. Pure. */
bool terminal_utf8(const char *lc_all, const char *lc_ctype, const char *lang);

/* Whether somebody can be asked: stdin and stderr are both terminals. */
bool terminal_present(void);

/* Asks on stderr and reads a line; only y and yes mean yes. */
bool terminal_confirm(const char *question);

/* Reads one line without echo from a terminal, or from stdin when that is none. ERR_TOO_LARGE,
 * ERR_INVALID when empty. */
MUST_CHECK bool terminal_secret(const char *prompt, char *out, size_t size, struct err *e);

/* From now on Ctrl-C says these words and removes this file (NULL: none, nothing); both must stay
 * valid. */
void terminal_on_interrupt(const char *words, const char *remove_path);
