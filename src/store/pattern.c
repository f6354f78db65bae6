/* SPDX-License-Identifier: Apache-2.0
 *
 * A star first takes nothing; where the rest does not fit, the last star takes one character more.
 * So at most as many steps as the two lengths multiplied. */
#include "store/pattern.h"

#include <string.h>

static bool is_star(ftr_str pattern, size_t i)
{
    return i < pattern.len && pattern.data[i] == '*';
}

/* Bytes of the character at i that is no star: an escaped one has two. */
static size_t width(ftr_str pattern, size_t i)
{
    return pattern.data[i] == '\\' && is_star(pattern, i + 1) ? 2 : 1;
}

static bool is_at(ftr_str pattern, size_t i, char c)
{
    return i < pattern.len && pattern.data[i + width(pattern, i) - 1] == c;
}

bool pattern_is_plain(ftr_str pattern)
{
    return pattern.len == 0 || !memchr(pattern.data, '*', pattern.len);
}

bool pattern_match(ftr_str pattern, ftr_str name)
{
    size_t at = 0, i = 0;
    size_t behind_star = SIZE_MAX; /* in the pattern */
    size_t taken = 0;              /* of the name, by the last star and what stands before it */
    while (i < name.len) {
        if (is_star(pattern, at)) {
            behind_star = ++at;
            taken = i;
        } else if (is_at(pattern, at, name.data[i])) {
            at += width(pattern, at);
            i++;
        } else if (behind_star != SIZE_MAX) {
            at = behind_star;
            i = ++taken;
        } else {
            return false;
        }
    }
    while (is_star(pattern, at))
        at++;
    return at == pattern.len;
}

ftr_str pattern_beginning(ftr_str pattern)
{
    for (size_t i = 0; i < pattern.len && !is_star(pattern, i); i++) {
        if (width(pattern, i) == 2)
            break; /* spelt otherwise than in names */
        if (pattern.data[i] == '/')
            return (ftr_str){pattern.data, i + 1};
    }
    return FTR_STR("");
}

ftr_str pattern_beginning_of(ftr_str name)
{
    const char *slash = name.len ? memchr(name.data, '/', name.len) : NULL;
    return slash ? (ftr_str){name.data, (size_t)(slash - name.data) + 1} : FTR_STR("");
}
