/* SPDX-License-Identifier: Apache-2.0
 *
 * One way to write a context into named text fields and to read it back. Reading changes the
 * context only when all of what it needs is there and valid. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/propagation.h>

struct ftri_propagator {
    const char *name; /* as in OTEL_PROPAGATORS */
    void (*inject)(const ftr_context *context, const ftr_carrier *carrier, void *fields);
    void (*extract)(const ftr_carrier *carrier, void *fields, ftr_context *context);
};

extern const struct ftri_propagator ftri_propagate_tracecontext;
extern const struct ftri_propagator ftri_propagate_baggage;
extern const struct ftri_propagator ftri_propagate_b3;
extern const struct ftri_propagator ftri_propagate_b3_multi;
extern const struct ftri_propagator ftri_propagate_jaeger;
extern const struct ftri_propagator ftri_propagate_xray;
extern const struct ftri_propagator ftri_propagate_ot_trace;

/* What is longer, white space included, is not looked at. */
enum { FTRI_FIELD_BYTES = 65536 };

/* The only field of that name; .data NULL: none, more than one, or too long. Trimmed, borrowed. */
ftr_str ftri_field_get(const ftr_carrier *carrier, void *fields, ftr_str name);
/* Lower-case digits, at least `least` of them, padded with zeros at the left. False: not an id. */
bool ftri_trace_id_read(ftr_str digits, size_t least, ftr_trace_id *ret_id) FTRI_MUST_CHECK;
bool ftri_span_id_read(ftr_str digits, size_t least, ftr_span_id *ret_id) FTRI_MUST_CHECK;
/* The state text (state_text.c): reads it into the context; false: it is none, and nothing has
 * changed. Writes it; 0: the ids are not valid. Padded: with the leading zeros of ids. */
bool ftri_state_text_read(ftr_str text, ftr_context *context);
size_t ftri_state_text_write(const ftr_context *context, bool is_padded,
                             char ret_text[FTR_STATE_TEXT_LEN + 1]);
/* Baggage with a field for each member, prefix and key its name (member_fields.c). Values are
 * percent-encoded there, or as they are: those that a field cannot hold are then left out. */
enum ftri_member_form { FTRI_MEMBERS_ENCODED, FTRI_MEMBERS_DECODED };
void ftri_members_inject(const ftr_context *context, ftr_str prefix, enum ftri_member_form form,
                         const ftr_carrier *carrier, void *fields);
void ftri_members_extract(ftr_str prefix, enum ftri_member_form form, const ftr_carrier *carrier,
                          void *fields, ftr_context *context);
/* Puts a remote span into the context; the debug flag makes it sampled. */
void ftri_context_set_remote(ftr_context *context, const ftr_span_context *span, bool is_debug);
