/* SPDX-License-Identifier: Apache-2.0
 *
 * What is recorded: with action.c the only file of the engine that does. A visit
 * starts with the first thing that happens to its batch at the node, which for an ingested or
 * merged batch is after its payload was set; it ends when the frame is settled. Untraced batches
 * have none; while the library is off those of all others are blank, and the inline functions below
 * are all there is to them. FTR_RECORDING_OUT: nothing is ever recorded (bench/, to compare). */
#pragma once

#include "engine/frame.h"

#ifdef FTR_RECORDING_OUT
enum { VISIT_RECORDING = 0 };
#else
enum { VISIT_RECORDING = 1 };
#endif

/* Whether visits that begin now are recorded. */
static inline bool visit_is_wanted(void)
{
    return VISIT_RECORDING && __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) != 0;
}

static inline bool visit_is_open(const struct frame *self)
{
    return VISIT_RECORDING && self->visit_state == VISIT_OPEN;
}

void visit_arrive_recorded(struct frame *self, struct pdata *pdata, size_t depth);

/* Nothing is recorded of this batch at this node. Releases the hop, if there is any. */
static inline void visit_arrive_blank(struct frame *self, struct pdata *pdata)
{
    self->visit_state = VISIT_BLANK;
    if (VISIT_RECORDING && FTRI_UNLIKELY(pdata->hop.sent_ns != 0))
        ftr_hop_release(&pdata->hop);
}

/* Starts the visit of a batch taken from the channel; depth counts it. Releases the hop. The
 * graph's clock was read. */
static inline void visit_arrive(struct frame *self, struct pdata *pdata, size_t depth)
{
    if (pdata->is_untraced || visit_is_wanted())
        visit_arrive_recorded(self, pdata, depth);
    else
        visit_arrive_blank(self, pdata);
}

/* Starts the visit of an ingested or merged batch. */
void visit_begin(struct frame *self, struct pdata *pdata);
void visit_emit_recorded(struct frame *self, struct pdata *pdata, const struct edge *edge,
                         size_t depth, ftr_split split);

/* Fills pdata->hop for the way to the next node, where it makes `depth` batches in the channel: of
 * several parts, this one. The graph's clock was read, or the batch is stamped later. */
static inline void visit_emit(struct frame *self, struct pdata *pdata, const struct edge *edge,
                              size_t depth, ftr_split split)
{
    if (VISIT_RECORDING && FTRI_UNLIKELY(frame_owner(self)->visit_state != VISIT_BLANK))
        visit_emit_recorded(self, pdata, edge, depth, split);
}

/* The batch goes on as part of a merged one. */
void visit_merge_input(struct frame *self, ftr_hop *ret_hop);
void visit_blocked(struct frame *self, uint64_t waited_ns);
void visit_drop(struct frame *self, ftr_drop_reason reason, uint64_t n_items);
void visit_event(struct frame *self, const char *name, const ftr_attribute *attributes,
                 size_t n_attributes);
/* A control message touched this batch. */
void visit_control(struct frame *self, enum control_kind kind);
void visit_unwound_recorded(struct frame *self, const struct result *result);
void visit_worked_recorded(struct frame *self, uint64_t worked_ns);
void visit_close_recorded(struct frame *self);

/* A result came back from below. */
static inline void visit_unwound(struct frame *self, const struct result *result)
{
    if (visit_is_open(frame_owner(self)))
        visit_unwound_recorded(frame_owner(self), result);
}

/* The node has worked on it for so long. */
static inline void visit_worked(struct frame *self, uint64_t worked_ns)
{
    if (visit_is_open(self))
        visit_worked_recorded(self, worked_ns);
}

static inline void visit_close(struct frame *self)
{
    if (visit_is_open(self))
        visit_close_recorded(self);
    self->visit_state = VISIT_CLOSED;
}

/* Context and hops that batches of a watched frame go on with when the visit has ended. */
void visit_copy_context(struct frame *self, ftr_hop *ret_hop);
