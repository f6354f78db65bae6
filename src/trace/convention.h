/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose fields spans have beside those that their program gives them: `conventions` of ftr_config.
 * Krishiv: every span has its own traceparent and tracestate as attributes, the resource has
 * deployment.target ("Distributed tracing", "Configuration"). */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_error;

/* By name, in any case. -EINVAL: there is none of this name; -ENOSYS: not in this version. The
 * error then says which there are, without naming the setting. */
int ftri_convention_find(ftr_str name, bool *ret_is_krishiv,
                         struct ftri_error *error) FTRI_MUST_CHECK;
