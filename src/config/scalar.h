/* SPDX-License-Identifier: Apache-2.0
 *
 * Scalars as attribute values. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct config_value;

/* What YAML's core schema makes of a scalar: true and false, integers, numbers; what is quoted, and
 * anything else, is a text. Texts belong to the document. */
ftr_value config_scalar_value(const struct config_value *scalar);
