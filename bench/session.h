/* SPDX-License-Identifier: Apache-2.0
 *
 * The library, running with one exporter, and its accounts. What fails ends the program. One
 * thread.
 */
#pragma once

#include <flowtrace/flowtrace.h>

void session_fail(const char *what);
/* config NULL: the library's defaults. Takes the exporter over. */
void session_start(ftr_exporter *exporter, const ftr_config *config);
void session_drain(void);
/* Drains, stops, and checks: started = ended = recorded + lost, recorded = delivered + lost. */
ftr_statistics session_stop(void);
/* Spans that any place of the accounts lost. */
uint64_t session_n_lost(const ftr_statistics *counts);

/* An exporter in the process that counts the spans that come, walking from length to length. */
ftr_exporter *session_counter_new(void);
uint64_t session_counter_n(void);
/* Holds up the exporter of the kind above, in its thread, until it is let go. */
void session_counter_hold(void);
void session_counter_release(void);
