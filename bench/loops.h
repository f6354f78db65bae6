/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops that record n spans of one shape: what rows 1 to 5 time, instructions.py counts and the
 * peers repeat. Spans go below the context that is current. */
#pragma once

#include <flowtrace/context.h>

void loop_children(int n);       /* from a call site */
void loop_named_children(int n); /* each with its name */
void loop_calls(int n);          /* children that record nothing: nothing is optimised away */
void loop_roots(int n);
/* Attributes have keys and values of 20 bytes; each value is new with each span. */
void loop_with_4(int n);
void loop_with_10(int n);
void loop_with_4_values(int n); /* the same all at once, keys by number */
void loop_with_10_values(int n);
void loop_ending_with_4(int n); /* set by the call that ends the span */
void loop_ending_with_10(int n);
void loop_visits(int n); /* of one node: a batch comes, goes on, is settled */
void loop_with_event(int n);
void loop_with_link(int n);
/* The same by the other door: each is current while it lasts. */
void loop_scopes(int n);
void loop_scopes_with_4(int n);

/* Below a user root; without one they record nothing. */
void loop_user_children(int n);
void loop_user_named_children(int n);
void loop_user_ending_with_4(int n);
void loop_user_scopes(int n);
void loop_dual_scopes(int n); /* a span in each pipeline */
void loop_user_calls(int n);  /* nothing is optimised away */

/* n / len traces: a root, current, and len - 1 spans by children. */
void loop_traces(int n, int len, void (*children)(int n));

/* A parent in another process, sampled or not. */
ftr_context loop_remote_parent(uint8_t trace_flags);
/* A user root that has ended, below nothing. */
ftr_context loop_user_parent(void);
