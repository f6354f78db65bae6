/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans as foundations 5.8 sends them over OTLP: a span has log entries, which have no names of
 * their own but fields of texts; it has no kind; it is an error when it has a tag `error`.
 * Sans-I/O. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftr_event_data;
struct ftr_span_data;

/* Bytes that the text of a number or a boolean takes with its NUL. A multiple of 8. */
enum { FTRI_LOG_TEXT_BYTES = 32 };

/* The event becomes a "Log entry" with its name as the first field, `event`, as OpenTracing has it.
 * items: its attributes, behind one that is free. Numbers and booleans become texts in `room`, of
 * FTRI_LOG_TEXT_BYTES each. Returns the bytes used. */
size_t ftri_log_entry_make(struct ftr_event_data *event, ftr_attribute *items, char *room);
/* The kind that programs do not choose, and the status. */
void ftri_log_entry_close(struct ftr_span_data *span);
