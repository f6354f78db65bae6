/* SPDX-License-Identifier: Apache-2.0
 *
 * The naive way to keep spans, as the baseline: one SQLite row a span, an index by trace and one by
 * start, WAL journal, synchronous=NORMAL, 5,000 rows a transaction. One thread. What fails ends the
 * program. */
#pragma once

#include "otlp/view.h"

struct row_schema;

/* Makes the file anew. */
struct row_schema *row_schema_open(const char *path);
/* Commits and writes the journal back. */
void row_schema_close(struct row_schema *self);
void row_schema_insert(struct row_schema *self, const struct ftri_otlp_span *span, ftr_str service);

/* Asks any SQLite file for one number. */
double row_schema_ask(const char *path, const char *sql);
