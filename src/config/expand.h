/* SPDX-License-Identifier: Apache-2.0
 *
 * ${env:NAME} and ${env:NAME:-default} in a scalar, also without `env:`. A default is taken as it
 * stands and ends at the first '}'; a variable that is set but empty gives the default, as in a
 * shell. $$ is one dollar sign; a dollar sign before anything but '{' and '$' stands for itself. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

/* True when there is something to replace. */
bool config_needs_expansion(ftr_str text);
/* Appends the expanded text. -EINVAL with the reason, -ENOMEM, -EMSGSIZE. */
int config_expand(ftr_str text, struct ftri_bytes *ret_text,
                  struct ftri_error *error) FTRI_MUST_CHECK;
