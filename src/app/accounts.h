/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph's accounts for people (a table of 80 columns) and for programs (NDJSON). */
#pragma once

#include "base/check.h"

struct ftri_bytes;
struct ftri_error;
struct graph;

int accounts_write_table(const struct graph *graph, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Whether it can be written, before there is anything to write. */
int accounts_check_file(const char *path, struct ftri_error *error) FTRI_MUST_CHECK;

/* To a file, or to stdout for "-". One object a node: {"node","type","in","out","bytes_in",
 * "bytes_out","dropped":{reason:n},"retried","failed","queue_ns","work_ns","blocked_ns"}; then one
 * an edge. */
int accounts_write_file(const struct graph *graph, const char *path,
                        struct ftri_error *error) FTRI_MUST_CHECK;
