/* SPDX-License-Identifier: Apache-2.0
 *
 * The in-memory store, from inside. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/exporter.h>

/* Keeps a deep copy. False: memory is short. */
bool ftri_memory_spans_add(ftr_memory_spans *self, const ftr_span_data *span) FTRI_MUST_CHECK;
