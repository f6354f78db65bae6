/* SPDX-License-Identifier: Apache-2.0
 *
 * OTEL_EXPORTER_OTLP_* (OpenTelemetry specification, "OTLP Exporter Configuration" and
 * "Environment Variable Specification"): a variable for the settings' signal beats the general one,
 * an empty one counts as unset, an unknown word or a number that is none is ignored with a warning.
 */
#pragma once

#include "export/otlp_settings.h"

/* The environment, replaceable: the value of a variable or NULL, valid until the call returns. */
typedef const char *(*ftri_otlp_variable_function)(void *argument, const char *name);

/* 0; -EINVAL: a value that cannot be used; -ENOMEM. The settings' warn is told what was ignored. */
int ftri_otlp_environment_read(ftri_otlp_variable_function get, void *argument,
                               struct ftri_otlp_settings *ret_settings,
                               struct ftri_error *error) FTRI_MUST_CHECK;
