/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph that is no good any more: whether it is refused, and with the right name in the reason.
 */
#pragma once

struct loop;
struct plan;

/* Spoils a copy of the plan by chance: an edge backwards, a node that lost its inputs, a port that
 * lost its edges. */
void refusals_check(const struct plan *plan, struct loop *loop);
