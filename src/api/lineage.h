/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /api/flow/v1/lineage/{trace}[/{span}]?direction=up|down|both&depth=N&limit=N, answered as
 * NDJSON. docs/lineage.md describes the lines. */
#pragma once

#include <flowtrace/types.h>

struct http_exchange;
struct store;

/* path: "{trace}" or "{trace}/{span}". */
void lineage_get(struct store *store, struct http_exchange *exchange, ftr_str path);
