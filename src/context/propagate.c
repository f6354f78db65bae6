/* SPDX-License-Identifier: Apache-2.0
 *
 * Which propagators there are, which the process uses, and what they share. */
#include "base/hex.h"
#include "base/text.h"
#include "context/block.h"
#include "context/propagator.h"

#include <stdatomic.h>
#include <string.h>

enum {
    BITS = 4,
    MOST = 64 / BITS,
    STANDARD = FTR_PROPAGATOR_TRACECONTEXT | FTR_PROPAGATOR_BAGGAGE << BITS
};

/* By their number. */
static const struct ftri_propagator *const propagators[] = {
    [FTR_PROPAGATOR_TRACECONTEXT] = &ftri_propagate_tracecontext,
    [FTR_PROPAGATOR_BAGGAGE] = &ftri_propagate_baggage,
    [FTR_PROPAGATOR_B3] = &ftri_propagate_b3,
    [FTR_PROPAGATOR_B3_MULTI] = &ftri_propagate_b3_multi,
    [FTR_PROPAGATOR_JAEGER] = &ftri_propagate_jaeger,
    [FTR_PROPAGATOR_XRAY] = &ftri_propagate_xray,
    [FTR_PROPAGATOR_OT_TRACE] = &ftri_propagate_ot_trace,
};

ftri_leaving *_Atomic ftri_context_leaving;

/* The process's propagators, the first in the lowest bits; 0 ends them. */
static _Atomic uint64_t chosen = STANDARD;

static const struct ftri_propagator *propagator_of(ftr_propagator number)
{
    return (size_t)number < FTRI_COUNT(propagators) ? propagators[number] : NULL;
}

bool ftr_propagator_find(ftr_str name, ftr_propagator *ret_propagator)
{
    *ret_propagator = FTR_PROPAGATOR_NONE;
    for (size_t i = 1; i < FTRI_COUNT(propagators); i++)
        if (ftri_text_same_word(name, ftr_str_from(propagators[i]->name))) {
            *ret_propagator = (ftr_propagator)i;
            return true;
        }
    return ftri_text_same_word(name, FTR_STR("none"));
}

void ftr_set_propagators(const ftr_propagator *propagators_in_order, size_t n)
{
    uint64_t list = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < n && shift < MOST * BITS; i++) {
        const uint64_t number = (uint64_t)propagators_in_order[i];
        bool is_new = propagator_of(propagators_in_order[i]) != NULL;
        for (uint64_t rest = list; rest; rest >>= BITS)
            is_new = is_new && (rest & ((1U << BITS) - 1)) != number;
        if (!is_new)
            continue;
        list |= number << shift;
        shift += BITS;
    }
    atomic_store_explicit(&chosen, list, memory_order_relaxed);
}

size_t ftr_get_propagators(ftr_propagator *ret_propagators, size_t room)
{
    size_t n = 0;
    for (uint64_t list = atomic_load_explicit(&chosen, memory_order_relaxed); list;
         list >>= BITS, n++)
        if (n < room)
            ret_propagators[n] = (ftr_propagator)(list & ((1U << BITS) - 1));
    return n;
}

void ftr_inject_as(ftr_propagator propagator, const ftr_context *context,
                   const ftr_carrier *carrier, void *fields)
{
    if (!propagator_of(propagator) || !context || !carrier)
        return;
    if (propagator != FTR_PROPAGATOR_BAGGAGE)
        ftri_context_leaves(&context->span);
    propagators[propagator]->inject(context, carrier, fields);
}

void ftr_extract_as(ftr_propagator propagator, const ftr_carrier *carrier, void *fields,
                    ftr_context *context)
{
    if (propagator_of(propagator) && carrier && context)
        propagators[propagator]->extract(carrier, fields, context);
}

void ftr_inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    ftr_propagator list[MOST];
    const size_t n = ftr_get_propagators(list, MOST);
    for (size_t i = 0; i < n; i++)
        ftr_inject_as(list[i], context, carrier, fields);
}

ftr_context ftr_extract(const ftr_carrier *carrier, void *fields)
{
    ftr_propagator list[MOST];
    const size_t n = ftr_get_propagators(list, MOST);
    ftr_context context = FTR_CONTEXT_NONE;
    for (size_t i = 0; i < n; i++)
        ftr_extract_as(list[i], carrier, fields, &context);
    return context;
}

/* ---- shared ---- */

ftr_str ftri_field_get(const ftr_carrier *carrier, void *fields, ftr_str name)
{
    if (carrier->get(fields, name, 1).data)
        return (ftr_str){0};
    const ftr_str value = carrier->get(fields, name, 0);
    if (!value.data || value.len > FTRI_FIELD_BYTES)
        return (ftr_str){0};
    return ftri_trim(value);
}

static bool read_id(ftr_str digits, size_t least, uint8_t *ret_bytes, size_t n_bytes)
{
    char padded[2 * sizeof(ftr_trace_id)];
    const size_t n_digits = 2 * n_bytes;
    if (digits.len < least || digits.len > n_digits || digits.len == 0)
        return false;
    memset(padded, '0', n_digits);
    memcpy(padded + n_digits - digits.len, digits.data, digits.len);
    return ftri_hex_decode_lower(padded, n_bytes, ret_bytes);
}

bool ftri_trace_id_read(ftr_str digits, size_t least, ftr_trace_id *ret_id)
{
    return read_id(digits, least, ret_id->bytes, sizeof ret_id->bytes) &&
           ftr_trace_id_is_valid(ret_id);
}

bool ftri_span_id_read(ftr_str digits, size_t least, ftr_span_id *ret_id)
{
    return read_id(digits, least, ret_id->bytes, sizeof ret_id->bytes) &&
           ftr_span_id_is_valid(ret_id);
}

void ftri_context_set_remote(ftr_context *context, const ftr_span_context *span, bool is_debug)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    parts.tracestate = FTR_STR("");
    parts.is_debug = is_debug;
    context->span = *span;
    context->span.is_remote = true;
    if (is_debug)
        context->span.trace_flags |= FTR_TRACE_FLAG_SAMPLED;
    if (ftri_context_set_parts(context, &parts))
        return;
    ftri_context_block_unref(context->block); /* memory is short: the identifiers matter most */
    context->block = NULL;
}
