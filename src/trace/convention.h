/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose names and fields spans have: `conventions` of ftr_config, or of a node. What each changes
 * is in docs/conventions.md; the names that visits write are in flow/names.h. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_error;

enum ftri_convention {
    FTRI_CONVENTION_FLOWTRACE, /* the default */
    FTRI_CONVENTION_FOUNDATIONS,
    FTRI_CONVENTION_KRISHIV,
    FTRI_CONVENTION_NUMAFLOW,
    FTRI_CONVENTION_OTELCOL,
    FTRI_CONVENTION_REFLOW,
    FTRI_N_CONVENTIONS
};

/* "otelcol", ... Static. */
const char *ftri_convention_name(enum ftri_convention convention);
/* By name, in any case. -EINVAL: there is none of this name; the error then says which there are,
 * without naming the setting. */
int ftri_convention_find(ftr_str name, enum ftri_convention *ret_convention,
                         struct ftri_error *error) FTRI_MUST_CHECK;

/* The session's; while none runs that of FLOWTRACE_CONVENTIONS, which the next session may
 * contradict: how often it was asked too early is then told. Any thread. */
enum ftri_convention ftri_convention_current(void);
/* A session begins; it ends. */
void ftri_convention_set(enum ftri_convention convention);
void ftri_convention_forget(void);
