/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/convention.h"

#include "base/error.h"
#include "base/text.h"
#include "trace/diagnostics.h"
#include "trace/variable.h"

#include <errno.h>
#include <flowtrace/tracing.h>
#include <stdatomic.h>
#include <stdio.h>

static const char *const names[FTRI_N_CONVENTIONS] = {
    [FTRI_CONVENTION_FLOWTRACE] = "flowtrace", [FTRI_CONVENTION_FOUNDATIONS] = "foundations-5.8",
    [FTRI_CONVENTION_KRISHIV] = "krishiv",     [FTRI_CONVENTION_NUMAFLOW] = "numaflow-1.8",
    [FTRI_CONVENTION_OTELCOL] = "otelcol",     [FTRI_CONVENTION_REFLOW] = "reflow",
};

enum { NOT_SET = -1 };

static _Atomic int chosen = NOT_SET;                 /* by the session that runs */
static _Atomic unsigned n_early[FTRI_N_CONVENTIONS]; /* answers while none ran */

const char *ftri_convention_name(enum ftri_convention convention)
{
    return names[convention];
}

static int refuse(ftr_str name, struct ftri_error *error)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)ftri_size_min(name.len, 63), name.data);
    const char *nearest = ftri_text_nearest(word, names, FTRI_COUNT(names));
    if (nearest)
        return ftri_error_set(error, -EINVAL, "'%s' is not known; did you mean '%s'?", word,
                              nearest);
    return ftri_error_set(error, -EINVAL,
                          "'%s' is not known, expected flowtrace, foundations-5.8, krishiv, "
                          "numaflow-1.8, otelcol or reflow",
                          word);
}

int ftri_convention_find(ftr_str name, enum ftri_convention *ret_convention,
                         struct ftri_error *error)
{
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (ftri_text_same_word(name, ftr_str_from(names[i]))) {
            *ret_convention = (enum ftri_convention)i;
            return 0;
        }
    return refuse(name, error);
}

ftr_status ftr_convention_check(ftr_str name, ftr_error *error)
{
    enum ftri_convention found;
    struct ftri_error why = {""};
    if (ftri_convention_find(name, &found, &why) == 0)
        return FTR_OK;
    if (error) {
        error->status = FTR_ERR_INVALID;
        snprintf(error->text, sizeof error->text, "%s", why.text);
    }
    return FTR_ERR_INVALID;
}

static enum ftri_convention of_environment(void)
{
    enum ftri_convention found = FTRI_CONVENTION_FLOWTRACE;
    struct ftri_error why;
    const char *name = ftri_variable("FLOWTRACE_CONVENTIONS");
    if (name && ftri_convention_find(ftri_trim(ftr_str_from(name)), &found, &why) < 0)
        return FTRI_CONVENTION_FLOWTRACE; /* ftr_init says so */
    return found;
}

enum ftri_convention ftri_convention_current(void)
{
    const int now = atomic_load(&chosen);
    if (now != NOT_SET)
        return (enum ftri_convention)now;
    const enum ftri_convention early = of_environment();
    atomic_fetch_add(&n_early[early], 1);
    return early;
}

void ftri_convention_forget(void)
{
    atomic_store(&chosen, NOT_SET);
}

void ftri_convention_set(enum ftri_convention convention)
{
    atomic_store(&chosen, (int)convention);
    for (size_t i = 0; i < FTRI_N_CONVENTIONS; i++) {
        const unsigned n = atomic_exchange(&n_early[i], 0);
        if (n && i != (size_t)convention)
            ftri_diagnose("conventions: %u node%s made before ftr_init keep%s the names of %s, not "
                          "those of %s",
                          n, n == 1 ? "" : "s", n == 1 ? "s" : "", names[i], names[convention]);
    }
}
