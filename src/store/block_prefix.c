/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_prefix.h"

#include "codec/wire.h"

size_t block_prefix_size(const struct block_row *row)
{
    const struct match_fields *fields = &row->fields;
    size_t size = (2 + 16) + (2 + 8);
    if (row->parent_span_id)
        size += 2 + 8;
    if (fields->name.len)
        size += 1 + ftri_wire_varint_size(fields->name.len) + fields->name.len;
    if (row->kind)
        size += 1 + ftri_wire_varint_size(row->kind);
    return size + (fields->start_ns ? 9 : 0) + (fields->end_ns ? 9 : 0);
}

int block_prefix_write(const struct block_row *row, struct ftri_bytes *out)
{
    const struct match_fields *fields = &row->fields;
    const size_t size = block_prefix_size(row);
    const int r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    uint8_t *first = out->data + out->len + size;
    if (fields->end_ns)
        first = ftri_wire_back_fixed64(first, 8, fields->end_ns);
    if (fields->start_ns)
        first = ftri_wire_back_fixed64(first, 7, fields->start_ns);
    if (row->kind) {
        first = ftri_wire_back_varint(first, row->kind);
        first = ftri_wire_back_tag(first, 6, FTRI_WIRE_VARINT);
    }
    if (fields->name.len)
        first = ftri_wire_back_bytes(first, 5, fields->name.data, fields->name.len);
    if (row->parent_span_id)
        first = ftri_wire_back_bytes(first, 4, row->parent_span_id, 8);
    first = ftri_wire_back_bytes(first, 2, row->span_id, 8);
    first = ftri_wire_back_bytes(first, 1, row->trace_id, 16);
    assert(first == out->data + out->len);
    (void)first;
    out->len += size;
    return 0;
}
