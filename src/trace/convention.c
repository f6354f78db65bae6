/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/convention.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>

static const char *const names[] = {
    [FTRI_CONVENTION_FLOWTRACE] = "flowtrace",
    [FTRI_CONVENTION_KRISHIV] = "krishiv",
    [FTRI_CONVENTION_FOUNDATIONS] = "foundations-5.8",
    [FTRI_N_CONVENTIONS] = "numaflow-1.8",
    "otelcol",
    "reflow",
};

static int refuse(ftr_str name, struct ftri_error *error)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)ftri_size_min(name.len, 63), name.data);
    const char *nearest = ftri_text_nearest(word, names, FTRI_COUNT(names));
    if (nearest)
        return ftri_error_set(error, -EINVAL, "'%s' is not known; did you mean '%s'?", word,
                              nearest);
    return ftri_error_set(
        error, -EINVAL, "'%s' is not known, expected flowtrace, krishiv or foundations-5.8", word);
}

const char *ftri_convention_name(enum ftri_convention convention)
{
    return names[convention];
}

int ftri_convention_find(ftr_str name, enum ftri_convention *ret_convention,
                         struct ftri_error *error)
{
    size_t i = 0;
    while (i < FTRI_COUNT(names) && !ftri_text_same_word(name, ftr_str_from(names[i])))
        i++;
    if (i == FTRI_COUNT(names))
        return refuse(name, error);
    if (i >= FTRI_N_CONVENTIONS)
        return ftri_error_set(error, -ENOSYS,
                              "'%s' is not implemented in this version, expected flowtrace, "
                              "krishiv or foundations-5.8",
                              names[i]);
    *ret_convention = (enum ftri_convention)i;
    return 0;
}
