/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/envelope.h"

#include "codec/wire.h"

/* A length-delimited field whose tag takes one byte. */
static size_t field_size(size_t len)
{
    return 1 + ftri_wire_varint_size(len) + len;
}

static size_t text_size(ftr_str text)
{
    return text.len ? field_size(text.len) : 0;
}

static uint8_t *back_text(uint8_t *first, uint32_t number, ftr_str text)
{
    return text.len ? ftri_wire_back_bytes(first, number, text.data, text.len) : first;
}

/* Tag and length of the message between first and end. */
static uint8_t *back_head(uint8_t *first, const uint8_t *end, uint32_t number)
{
    first = ftri_wire_back_varint(first, (uint64_t)(end - first));
    return ftri_wire_back_tag(first, number, FTRI_WIRE_BYTES);
}

size_t ftri_otlp_envelope_size(struct ftri_view resource, ftr_str scope_name, ftr_str scope_version,
                               size_t spans_len)
{
    const size_t scope = field_size(text_size(scope_name) + text_size(scope_version));
    const size_t scope_spans = field_size(scope + spans_len);
    return field_size(field_size(resource.len) + scope_spans) - spans_len;
}

uint8_t *ftri_otlp_envelope_write(struct ftri_view resource, ftr_str scope_name,
                                  ftr_str scope_version, uint8_t *spans, size_t spans_len)
{
    const uint8_t *const end = spans + spans_len;
    uint8_t *first = back_text(spans, 2, scope_version);
    first = back_text(first, 1, scope_name);
    first = back_head(back_head(first, spans, 1), end, 2);
    first = ftri_wire_back_bytes(first, 1, resource.data, resource.len);
    return back_head(first, end, 1);
}
