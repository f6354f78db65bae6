/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables of the environment by OpenTelemetry's rules: empty counts as unset; a number that is
 * none is passed over with a diagnosis. As getenv: not while another thread changes them. */
#pragma once

#include "base/check.h"

/* NULL when unset or empty. */
const char *ftri_variable(const char *name);
/* A whole decimal number that fits; false leaves *ret_value alone. */
bool ftri_variable_number(const char *name, uint64_t max, uint64_t *ret_value);
/* The configured value unless it is 0, else that of the first variable that is set, else the
 * standard. general may be NULL. */
uint32_t ftri_variable_choose(uint32_t configured, const char *name, const char *general,
                              uint32_t standard);

/* The exporters that a list names; unknown ones are passed over with a diagnosis. */
struct ftri_exporter_wishes {
    bool otlp;
    bool console;
    bool prometheus;
    bool otlp_stdout;
    bool is_implied; /* no list: an endpoint is set */
};

/* What a signal's list may name beside otlp, console and none. */
enum ftri_exporter_names { FTRI_NAMES_OTLP_STDOUT, FTRI_NAMES_PROMETHEUS };

/* "OTEL_TRACES_EXPORTER", and the variable with the signal's own OTLP endpoint. */
struct ftri_exporter_wishes ftri_variable_exporters(const char *list_name,
                                                    const char *endpoint_name,
                                                    enum ftri_exporter_names names);
