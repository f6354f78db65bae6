/* SPDX-License-Identifier: Apache-2.0
 *
 * Names with stars: `*` stands for any characters, or none; `\*` for a star. Everything else,
 * also a backslash elsewhere, is itself. Bytes; upper and lower case differ. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

/* It matches itself only, and nothing in it is escaped. */
bool pattern_is_plain(ftr_str pattern);
bool pattern_match(ftr_str pattern, ftr_str name);
/* What every name that matches begins with, as far as up to its first '/'; empty: nothing is
 * known. Part of the pattern. */
ftr_str pattern_beginning(ftr_str pattern);
/* The same of a name: up to its first '/', empty if it has none. */
ftr_str pattern_beginning_of(ftr_str name);
