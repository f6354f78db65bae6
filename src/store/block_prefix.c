/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_prefix.h"

#include "codec/wire.h"

int block_prefix_write(const struct block_row *row, struct ftri_bytes *out)
{
    const struct match_fields *fields = &row->fields;
    int r = ftri_wire_put_bytes(out, 1, ftri_view_of(row->trace_id, 16));
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, ftri_view_of(row->span_id, 8));
    if (r == 0 && row->parent_span_id)
        r = ftri_wire_put_bytes(out, 4, ftri_view_of(row->parent_span_id, 8));
    if (r == 0 && fields->name.len)
        r = ftri_wire_put_bytes(out, 5, ftri_view_of(fields->name.data, fields->name.len));
    if (r == 0 && row->kind)
        r = ftri_wire_put_varint(out, 6, row->kind);
    if (r == 0 && fields->start_ns)
        r = ftri_wire_put_fixed64(out, 7, fields->start_ns);
    if (r == 0 && fields->end_ns)
        r = ftri_wire_put_fixed64(out, 8, fields->end_ns);
    return r;
}

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
