/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/convention.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>

enum { FLOWTRACE, KRISHIV, N_IMPLEMENTED };

static const char *const names[] = {
    [FLOWTRACE] = "flowtrace",
    [KRISHIV] = "krishiv",
    [N_IMPLEMENTED] = "foundations-5.8",
    "numaflow-1.8",
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
    return ftri_error_set(error, -EINVAL, "'%s' is not known, expected flowtrace or krishiv", word);
}

int ftri_convention_find(ftr_str name, bool *ret_is_krishiv, struct ftri_error *error)
{
    size_t i = 0;
    while (i < FTRI_COUNT(names) && !ftri_text_same_word(name, ftr_str_from(names[i])))
        i++;
    if (i == FTRI_COUNT(names))
        return refuse(name, error);
    if (i >= N_IMPLEMENTED)
        return ftri_error_set(error, -ENOSYS,
                              "'%s' is not implemented in this version, expected flowtrace or "
                              "krishiv",
                              names[i]);
    *ret_is_krishiv = i == KRISHIV;
    return 0;
}
