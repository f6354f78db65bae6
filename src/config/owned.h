/* SPDX-License-Identifier: Apache-2.0
 *
 * A document with all that it owns, for those files of config/ that build or free one. */
#pragma once

#include "base/arena.h"
#include "config/tree.h"

struct config_document {
    struct ftri_arena arena;
    const char *name;
    const struct config_value *root;
};
