/* Words for mdoc(7), escaped so that they come out as they are. Pure. */
#pragma once

#include "lib/text.h"

/* Running text, a line for each sentence; empty lines part paragraphs. */
void mdoc_text(const char *words, struct text *out);

/* "gridctl shows what runs where" -> "Gridctl shows what runs where." as a line of text. */
void mdoc_sentence(const char *sentence, struct text *out);

/* ".MACRO word word" with words that are neither macros nor punctuation to mdoc. */
void mdoc_macro(const char *macro, const char *words, struct text *out);

/* The words of a macro line alone, in the middle of one. */
void mdoc_words(const char *words, struct text *out);

/* .Dd, .Dt, .Os and NAME. */
void mdoc_head(const char *name, int section, const char *date, const char *summary,
               struct text *out);

/* "gridctl(1)" -> ".Xr gridctl 1"; behind says what follows, as " ,". */
void mdoc_reference(const char *page, const char *behind, struct text *out);
