/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a node's file or directory is: relative paths start at the program's data directory, or
 * at the working directory if it has none; "" is that directory itself. */
#pragma once

#include "base/check.h"

#include <limits.h>

struct ftri_error;
struct node;

/* -ENAMETOOLONG with the path in error. */
int place_resolve(struct node *node, const char *path, char ret_path[PATH_MAX],
                  struct ftri_error *error) FTRI_MUST_CHECK;
