/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the engine's accounts with the model's, term by term, and with each other. */
#pragma once

struct graph;

/* Between steps. A rule breaks when anything differs. */
void ledger_check(const struct graph *graph);
