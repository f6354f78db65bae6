/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as it waits for its flow: without what the flow says anyway, without padding, and with
 * lengths as short as they mostly are. What is read from a record is the same afterwards.
 *
 *     head (40 bytes) | rest of the head, if not all of it is as usual | name | entry | entry | ...
 *     entry: type, value type, lengths of key and value: a byte each | key | value
 *         or VALUES, number of values, number of the keys (2 bytes) | value | value | ...
 *            value: its length | text,  or  128 | type << 4 | length | a scalar's lowest bytes
 *         or 255 | as it is in the record, whatever is unusual about it
 */
#pragma once

#include "base/bytes.h"
#include "trace/record.h"

/* Bytes behind what is packed that are written or read, whatever is there. */
enum { FTRI_PACK_BEHIND = 16 };

/* At most so many bytes, without those behind, for a record of this size. */
static inline size_t ftri_record_pack_room(size_t record_size)
{
    return record_size + record_size / 4;
}

/* A record that has no context block, as ftri_record_copy makes them. Returns the bytes. */
size_t ftri_record_pack(const struct ftri_record *self, uint8_t *to);
/* The record again, in `to`, which is aligned to 8 and has room for its size and
 * FTRI_PACK_BEHIND. */
void ftri_record_unpack(struct ftri_view packed, const ftr_trace_id *trace_id, void *to);
