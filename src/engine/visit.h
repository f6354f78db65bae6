/* SPDX-License-Identifier: Apache-2.0
 *
 * What is recorded: with action.c the only file of the engine that does. A visit
 * starts with the first thing that happens to its batch at the node, which for an ingested or
 * merged batch is after its payload was set; it ends when the frame is settled. Untraced batches
 * have none. */
#pragma once

#include "engine/frame.h"

/* Starts the visit of a batch taken from the channel; depth counts it. Releases the hop. */
void visit_arrive(struct frame *self, struct pdata *pdata, size_t depth);
/* Starts the visit of an ingested or merged batch, if that has not happened. */
void visit_ensure(struct frame *self, struct pdata *pdata);
/* Fills pdata->hop for the way to the next node: copy number `index` of `count`. */
void visit_emit(struct frame *self, struct pdata *pdata, const struct port *port, ftr_split split);
/* The batch goes on as part of a merged one. */
void visit_merge_input(struct frame *self, ftr_hop *ret_hop);
void visit_blocked(struct frame *self, uint64_t waited_ns);
void visit_drop(struct frame *self, ftr_drop_reason reason, uint64_t n_items);
void visit_event(struct frame *self, const char *name, const ftr_attribute *attributes,
                 size_t n_attributes);
/* A control message touched this batch. */
void visit_control(struct frame *self, enum control_kind kind);
/* A result came back from below. */
void visit_unwound(struct frame *self, const struct result *result);
void visit_pause(struct frame *self);
void visit_resume(struct frame *self);
void visit_close(struct frame *self);
/* The context that batches of a watched frame go on with when the visit has ended. */
void visit_copy_context(struct frame *self, ftr_hop *ret_hop);
