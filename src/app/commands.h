/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "app/arguments.h"

extern const struct command command_serve;
extern const struct command command_run_graph;
extern const struct command command_validate;
extern const struct command command_components;
extern const struct command command_demo;
extern const struct command command_env;
extern const struct command command_loss;
extern const struct command command_sink;
extern const struct command command_lineage;
extern const struct command command_trace_get;
extern const struct command command_trace_query;
