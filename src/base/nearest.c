/* SPDX-License-Identifier: Apache-2.0
 *
 * Edit distance with transpositions of neighbours (Damerau and Levenshtein, "optimal string
 * alignment"), three rows of memory. */
#include "base/text.h"

#include <string.h>

enum { WORD_BYTES_MAX = 63 };

static size_t least(size_t a, size_t b, size_t c)
{
    return ftri_size_min(a, ftri_size_min(b, c));
}

/* Both words have at most WORD_BYTES_MAX bytes. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        current[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *const oldest = before;
        before = previous;
        previous = current;
        current = oldest;
        current[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t replaced = previous[j - 1] + (a[i - 1] != b[j - 1]);
            current[j] = least(previous[j] + 1, current[j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                current[j] = ftri_size_min(current[j], before[j - 2] + 1);
        }
    }
    return current[b_len];
}

const char *ftri_text_nearest(const char *word, const char *const *candidates, size_t n)
{
    const size_t word_len = strlen(word);
    if (word_len == 0 || word_len > WORD_BYTES_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t smallest = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(candidates[i]);
        if (len == 0 || len > WORD_BYTES_MAX)
            continue;
        /* A third of the longer word may differ, at least one character, but not all. */
        const size_t longer = ftri_size_max(len, word_len);
        const size_t found = distance(word, word_len, candidates[i], len);
        if (found > ftri_size_max(longer / 3, 1) || found >= longer || found >= smallest)
            continue;
        smallest = found;
        nearest = candidates[i];
    }
    return nearest;
}
