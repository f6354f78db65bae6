/* SPDX-License-Identifier: Apache-2.0
 *
 * What nodes with a mode of their own say of flows (flow/): who holds spans back in a session whose
 * mode is another one, and which flows wait. Any thread. */
#pragma once

#include <flowtrace/span.h>

/* One more that holds spans back, or one less; also outside of a session. */
void ftri_session_hold(bool is_more);
/* The flow of this open span is exported for certain, or waits for its verdict, as long as somebody
 * holds spans back. Before anything is below the span. */
void ftri_flow_keep(ftr_span span);
void ftri_flow_wait(ftr_span span);
/* A span that only passes this context on as it is; none when it has no ids. */
ftr_span ftri_passing_start(const ftr_context *context);
