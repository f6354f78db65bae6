/* SPDX-License-Identifier: Apache-2.0
 *
 * The span names of a service with the kinds they were seen with. The store knows the names; the
 * kinds are read from the service's newest traces, then from the newest trace of each name that
 * these do not have, for at most two seconds: a name that is not reached has no kind. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct store;

enum { OPERATIONS_KIND_ANY = -1 };

struct operations_visitor {
    /* Sorted by name, then kind; a name with two kinds comes twice; kind 0: unspecified. */
    void (*each)(void *argument, ftr_str name, int32_t kind);
    void *argument;
};

int operations_run(struct store *store, ftr_str service, int32_t kind,
                   const struct operations_visitor *visitor) FTRI_MUST_CHECK;
