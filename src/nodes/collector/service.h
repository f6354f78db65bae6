/* SPDX-License-Identifier: Apache-2.0
 *
 * `service` of the Collector's form: which pipelines run, and its own telemetry. */
#pragma once

#include "nodes/collector/component.h"

/* Sections of `service`, for the documentation; NULL-terminated. */
extern const struct collector_section *const collector_service_sections[];

/* Checks it; ret_pipelines is a mapping with at least one pipeline, ret_extensions a list or
 * NULL. */
int collector_service_read(const struct collector_translation *translation,
                           const struct config_value **ret_pipelines,
                           const struct config_value **ret_extensions) FTRI_MUST_CHECK;
