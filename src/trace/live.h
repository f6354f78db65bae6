/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of open spans. The owner of a slot goes on writing while it is copied: nothing that was
 * read is trusted until the generation is found unchanged, and no length before it was checked.
 * Memory of slots and pages stays mapped for ever, so that reading itself is always allowed. */
#pragma once

#include "base/bytes.h"

#include <flowtrace/live.h>

struct ftri_slot;
struct ftri_record;

/* Room for one copy and what reading it needs. */
struct ftri_live_copy {
    struct ftri_bytes record; /* head and stream */
    struct ftri_bytes scratch;
};

void ftri_live_copy_init(struct ftri_live_copy *self);
void ftri_live_copy_deinit(struct ftri_live_copy *self);

enum { FTRI_LIVE_GONE = 1 };
/* The span in a slot: 0, FTRI_LIVE_GONE (none is open, or it ended meanwhile), -ENOMEM. What is
 * returned is borrowed from the copy; its record is at the beginning of copy->record. */
int ftri_live_read(const struct ftri_slot *slot, struct ftri_live_copy *copy,
                   ftr_span_data *ret_span) FTRI_MUST_CHECK;

/* As ftr_live_spans, with the record too. */
typedef bool ftri_live_function(void *argument, const struct ftri_record *record,
                                const ftr_span_data *span);
ftr_status ftri_live_walk(ftri_live_function *each, void *argument);

/* The traces of all open spans, sampled or not; of one that ends meanwhile perhaps. */
typedef void ftri_live_trace_function(void *argument, const ftr_trace_id *trace_id,
                                      uint8_t trace_flags);
void ftri_live_walk_traces(ftri_live_trace_function *each, void *argument);
