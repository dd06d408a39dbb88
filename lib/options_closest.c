/* The part of lib/options.h that knows what a mistyped word may have meant. */
#include "lib/options.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours each cost
 * one. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t rows[3][WORD_MAX + 1]; /* of row i, i - 1 and i - 2, taken in turns */
    for (size_t j = 0; j <= b_length; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *options_closest(const char *word, const char *const *candidates, size_t count) {
    size_t length = strlen(word);
    if (length > WORD_MAX) return NULL;
    size_t limit = (length + 2) / 3; /* a third of the word may be wrong */
    const char *closest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t candidate_length = strlen(candidates[i]);
        if (candidate_length > WORD_MAX) continue;
        size_t distance = edit_distance(word, length, candidates[i], candidate_length);
        if (distance > limit || distance >= length) continue;
        closest = candidates[i];
        if (distance == 0) break;
        limit = distance - 1;
    }
    return closest;
}
