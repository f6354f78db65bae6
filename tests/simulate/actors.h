/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes of a run: a class for each role, each doing what chance and its plan say. They check
 * what they are told, and when. */
#pragma once

#include "act.h"

extern const struct node_class *const actor_classes[];

/* As from a socket of the node's own: something happens to what it holds. */
void actor_poke(struct actor *self);
void actor_set_accepting(struct actor *self, bool is_accepting);
