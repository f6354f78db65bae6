/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the program's own metrics. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { FTRI_METRIC_NAME_BYTES = 255, FTRI_METRIC_UNIT_BYTES = 63, FTRI_METRIC_HELP_BYTES = 4096 };

/* Letters, digits, _ and the others, the first no digit, not too many. */
bool ftri_metric_name_is_valid(ftr_str text, const char *others);
/* UTF-8, at most FTRI_METRIC_HELP_BYTES and FTRI_METRIC_UNIT_BYTES. */
bool ftri_metric_help_is_valid(ftr_str text);
bool ftri_metric_unit_is_valid(ftr_str text);
/* A name as the text has it that the library writes itself. */
bool ftri_metric_name_is_reserved(ftr_str written);
