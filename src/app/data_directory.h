/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/check.h"

#include <limits.h>

struct ftri_error;

/* chosen, else $FLOWTRACE_DATA, else $XDG_STATE_HOME/flowtrace, else ~/.local/state/flowtrace; with
 * `below` ("demo", may be NULL) as a folder in it. Made if absent. */
int data_directory(const char *chosen, const char *below, char ret_path[PATH_MAX],
                   struct ftri_error *error) FTRI_MUST_CHECK;
