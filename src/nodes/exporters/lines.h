/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch as NDJSON. Records: one object a record, `key` first, then its attributes, `value` if it
 * has one. Telemetry: one object a batch, the request in OTLP's JSON encoding. */
#pragma once

#include "base/check.h"

struct ftri_bytes;
struct pdata;

/* Appends the lines of a batch. -ENOMEM, -EMSGSIZE: out is as it was. */
int lines_write(const struct pdata *pdata, struct ftri_bytes *out) FTRI_MUST_CHECK;
