/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mentions.h"

#include "store/block_hashes.h"
#include "store/contributors.h"
#include "store/varint.h"

#include <stdlib.h>

enum { LEFT_OUT_BITS = 24, FOUND_LIMIT_BYTES = 1 << 30 };

uint64_t mention_hash(const uint8_t trace_id[16])
{
    return block_hash(trace_id) >> LEFT_OUT_BITS << LEFT_OUT_BITS;
}

void mention_builder_init(struct mention_builder *self)
{
    ftri_bytes_init(&self->found, FOUND_LIMIT_BYTES);
}

void mention_builder_deinit(struct mention_builder *self)
{
    ftri_bytes_deinit(&self->found);
}

struct adding {
    struct mention_builder *builder;
    struct mention last; /* contributors of one trace often stand in a row */
};

static int add(void *argument, const struct contributor *contributor)
{
    struct adding *adding = argument;
    if (contributor->is_of_same_trace)
        return 0;
    const uint64_t hash = mention_hash(contributor->trace_id);
    struct ftri_bytes *found = &adding->builder->found;
    if (found->len && hash == adding->last.hash)
        return 0;
    adding->last.hash = hash;
    return ftri_bytes_append(found, &adding->last, sizeof adding->last);
}

int mention_builder_add(struct mention_builder *self, const struct ftri_otlp_span *span,
                        uint32_t row)
{
    struct adding adding = {self, {.hash = UINT64_MAX, .row = row}};
    enum store_refusal refusal;
    return contributors_may_be_named(span) ? contributors_each(span, add, &adding, &refusal) : 0;
}

static int compare(const void *left, const void *right)
{
    const struct mention *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static size_t drop_repeats(struct mention *mentions, size_t n)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++)
        if (n_left == 0 || compare(&mentions[n_left - 1], &mentions[i]) != 0)
            mentions[n_left++] = mentions[i];
    return n_left;
}

int mention_builder_finish(struct mention_builder *self, struct ftri_bytes *out)
{
    struct mention *mentions = (struct mention *)(void *)self->found.data;
    size_t n = self->found.len / sizeof *mentions;
    if (n)
        qsort(mentions, n, sizeof *mentions, compare);
    n = drop_repeats(mentions, n);
    uint64_t last = 0;
    int r = varint_put(out, n);
    for (size_t i = 0; i < n && r == 0; i++) {
        const uint64_t hash = mentions[i].hash >> LEFT_OUT_BITS;
        r = varint_put(out, hash - last);
        last = hash;
    }
    for (size_t i = 0; i < n && r == 0; i++)
        r = varint_put(out, mentions[i].row);
    return r;
}

/* --- reading ------------------------------------------------------------------------------- */

struct reading {
    struct stream stream;
    uint64_t n;
    uint64_t last;
};

static int open_piece(struct reading *self, struct ftri_view piece)
{
    *self = (struct reading){.stream = stream_of(piece)};
    self->n = stream_varint(&self->stream);
    return self->stream.is_bad || self->n > piece.len / 2 ? -EBADMSG : 0;
}

static uint64_t next_hash(struct reading *self)
{
    self->last += stream_varint(&self->stream);
    self->stream.is_bad |= self->last >> (64 - LEFT_OUT_BITS) != 0;
    return self->last << LEFT_OUT_BITS;
}

static int put_hash(struct ftri_bytes *out, uint64_t hash)
{
    const int r = ftri_bytes_reserve(out, 8);
    for (size_t i = 0; i < 8 && r == 0; i++)
        out->data[out->len++] = (uint8_t)(hash >> 8 * i);
    return r;
}

int mentions_read_hashes(struct ftri_view piece, struct ftri_bytes *out)
{
    struct reading reading;
    uint64_t last = 0;
    int r = open_piece(&reading, piece);
    for (uint64_t i = 0; r == 0 && i < reading.n; i++) {
        const uint64_t hash = next_hash(&reading);
        if (reading.stream.is_bad)
            return -EBADMSG;
        if (i == 0 || hash != last)
            r = put_hash(out, hash);
        last = hash;
    }
    if (r == 0)
        stream_skip_varints(&reading.stream, (size_t)reading.n);
    return r == 0 && (reading.stream.is_bad || reading.stream.next != reading.stream.end) ? -EBADMSG
                                                                                          : r;
}

int mentions_read(struct ftri_view piece, struct ftri_bytes *out)
{
    struct reading reading;
    const size_t start = out->len;
    int r = open_piece(&reading, piece);
    for (uint64_t i = 0; r == 0 && i < reading.n; i++) {
        const struct mention mention = {.hash = next_hash(&reading)};
        r = reading.stream.is_bad ? -EBADMSG : ftri_bytes_append(out, &mention, sizeof mention);
    }
    if (r < 0)
        return r;
    struct mention *mentions = (struct mention *)(void *)(out->data + start);
    for (uint64_t i = 0; i < reading.n; i++)
        mentions[i].row = (uint32_t)stream_varint(&reading.stream);
    return reading.stream.is_bad || reading.stream.next != reading.stream.end ? -EBADMSG : 0;
}

size_t mentions_find(const struct mention *mentions, size_t n, uint64_t hash, size_t *ret_first)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (mentions[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_first = low;
    while (low < n && mentions[low].hash == hash)
        low++;
    return low - *ret_first;
}
