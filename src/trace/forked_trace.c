/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace that forks off another one: two spans that name each other in attributes, as foundations
 * has it, and a link from the new trace to the old one, which lineage follows.
 *
 *     old trace: span - "[name ref]" {note, trace_id: new}
 *     new trace: "name" {trace_id: old, fork_of_span_id: of "[name ref]"} */
#include "trace/span.h"

#include "trace/current.h"

#include <string.h>

enum { MARKED_NAME = 1000, PADDED_ID = 32, SPAN_ID = 16 };

static const char note[] = "the trace forks here; trace_id is that of the forked trace";

static bool is_sampled(const ftr_context *context)
{
    return ftri_context_has_ids(context) && (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED);
}

/* "[<name> ref]"; a name that is too long loses its end, but not half a character. */
static ftr_span start_marker(ftr_str name, const ftr_context *from)
{
    char text[MARKED_NAME + sizeof "[ ref]"];
    size_t len = name.data ? name.len : 0;
    if (len > MARKED_NAME)
        for (len = MARKED_NAME; len > 0 && ((uint8_t)name.data[len] & 0xc0) == 0x80;)
            len--;
    text[0] = '[';
    if (len)
        memcpy(text + 1, name.data, len);
    memcpy(text + 1 + len, " ref]", 5);
    return ftr_recording_start((ftr_str){text, len + 6}, FTR_KIND_INTERNAL, from);
}

static void set_trace_id(ftr_span span, const ftr_context *other)
{
    char digits[33];
    ftr_trace_id_format(&other->span.trace_id, digits);
    ftr_span_set_text(span, FTR_STR("trace_id"), digits);
}

static void set_fork_of(ftr_span root, const ftr_context *marker)
{
    char text[PADDED_ID + 1];
    memset(text, ' ', PADDED_ID - SPAN_ID);
    ftr_span_id_format(&marker->span.span_id, text + PADDED_ID - SPAN_ID);
    ftr_span_set_text(root, FTR_STR("fork_of_span_id"), text);
    const ftr_attribute relation = {FTR_STR("flow.relation"), ftr_value_str(FTR_STR("fork"))};
    ftr_span_link(root, marker, &relation, 1);
}

static void mark(ftr_span root, const ftr_context *forked, ftr_str name, const ftr_context *from)
{
    set_trace_id(root, from);
    const ftr_span marker = start_marker(name, from);
    if (marker.generation == 0) {
        ftr_span_end(marker);
        return;
    }
    ftr_context at = ftr_span_context_of(marker);
    ftr_span_set_text(marker, FTR_STR("note"), note);
    set_trace_id(marker, forked);
    set_fork_of(root, &at);
    ftr_context_release(&at);
    ftr_span_end(marker);
}

void ftri_fork_mark(ftr_span root, ftr_str name, const ftr_context *from)
{
    if (root.generation == 0 || !is_sampled(from))
        return;
    ftr_context forked = ftr_span_context_of(root);
    if (memcmp(&forked.span.trace_id, &from->span.trace_id, sizeof forked.span.trace_id) != 0)
        mark(root, &forked, name, from);
    ftr_context_release(&forked);
}

ftr_span ftr_span_fork(ftr_str name, ftr_span_kind kind, const ftr_context *from)
{
    if (!from)
        from = &ftri_frame_current()->context;
    if (!is_sampled(from) || __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) == 0)
        return (ftr_span){0, 0};
    const ftr_span root = ftri_root_start(name, kind, from);
    ftri_fork_mark(root, name, from);
    return root;
}
