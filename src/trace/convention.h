/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose fields spans have beside those that their program gives them: `conventions` of ftr_config.
 * Krishiv: every span has its own traceparent and tracestate as attributes, the resource has
 * deployment.target ("Distributed tracing", "Configuration"). foundations 5.8: the ready form of
 * user spans' routings has the keys that it shipped. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_error;

enum ftri_convention {
    FTRI_CONVENTION_FLOWTRACE,
    FTRI_CONVENTION_KRISHIV,
    FTRI_CONVENTION_FOUNDATIONS,
    FTRI_N_CONVENTIONS /* that are implemented */
};

const char *ftri_convention_name(enum ftri_convention convention);

/* By name, in any case. -EINVAL: there is none of this name; -ENOSYS: not in this version. The
 * error then says which there are, without naming the setting. */
int ftri_convention_find(ftr_str name, enum ftri_convention *ret_convention,
                         struct ftri_error *error) FTRI_MUST_CHECK;
