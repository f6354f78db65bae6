/* SPDX-License-Identifier: Apache-2.0
 *
 * The resource: who is speaking. By rising precedence: telemetry.sdk.*, process.pid,
 * OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, the configuration's attributes and service name; by
 * Krishiv's conventions also deployment.target, which KRISHIV_DEPLOYMENT_TARGET names. */
#pragma once

#include "base/arena.h"

#include <flowtrace/types.h>

struct ftr_config;

#define FTRI_RESOURCE_PID "process.pid"

/* Everything is copied into the arena. 0 or -ENOMEM. */
int ftri_resource_read(struct ftri_arena *arena, const struct ftr_config *config, bool is_krishiv,
                       ftr_attribute **ret_attributes, size_t *ret_n) FTRI_MUST_CHECK;
/* A copy of a list with everything it points to; NULL: the arena is full. */
ftr_attribute *ftri_attributes_copy(struct ftri_arena *arena, const ftr_attribute *attributes,
                                    size_t n) FTRI_MUST_CHECK;
