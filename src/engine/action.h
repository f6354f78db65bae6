/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions: control messages that touch many flows. Each is recorded as a span `control/...` of the
 * whole graph, below it one for each node that is told, all with links to the visits that they
 * touched and with their result. A new configuration and a change of memory pressure are over when
 * every node has handled its message, a drain when the receivers are done, a shutdown when nothing
 * is left. With visit.c the only place that records. */
#pragma once

#include "engine/runtime.h"

/* Of the graph; one of the kind that is under way already stands for both. */
void action_begin(struct graph *graph, enum control_kind kind, const ftr_attribute *attributes,
                  size_t n_attributes);
/* One that comes to nothing, whatever is under way. */
void action_refuse(const struct graph *graph, enum control_kind kind,
                   const ftr_attribute *attributes, size_t n_attributes, const char *error);
/* Sends the message to every node that handles any, and touches all visits that they work on. */
void action_tell_all(struct graph *graph, enum control_kind kind);
/* error NULL: a success. Nothing when none is under way. */
void action_end(struct graph *graph, enum control_kind kind, const char *error);

/* The same at one node, as a part of the graph's. Other kinds of messages: nothing. */
void action_begin_at(struct node *node, enum control_kind kind);
/* The node's code has returned; has_failed: and said meanwhile that it cannot go on. */
void action_handled_at(struct node *node, enum control_kind kind, bool has_failed);
/* Of DRAIN_INGRESS or SHUTDOWN, whichever is under way. */
void action_end_at(struct node *node, const char *error);

/* A visit of the node was touched. */
void action_touch(struct node *node, enum control_kind kind, const ftr_visit *visit);
