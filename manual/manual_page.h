/* Man pages of the programs, and the parts that gridctl's pages share. Pure. */
#pragma once

#include "lib/manual.h"

/* The page of a program, as of date ("January 31, 2026"). */
void manual_page(const struct manual *m, const char *date, struct text *out);

/* A list of options with their other names and defaults. */
void manual_page_options(const struct option_entry *entries, size_t count, struct text *out);

/* ENVIRONMENT, FILES, EXIT STATUS, EXAMPLES, SEE ALSO: what the manual has of them. */
void manual_page_end(const struct manual *m, struct text *out);
