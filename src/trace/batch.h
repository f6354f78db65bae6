/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans on their way to one exporter, in one piece of memory: for FTR_EXPORT_OTLP Span messages
 * with room in front for the message around them, else records. Filled by the worker, then handed
 * over whole to the exporter's thread. Of user spans each has a mark before it: its routing and its
 * bytes; they are presented in parts, a routing each. */
#pragma once

#include "base/bytes.h"

struct ftr_export_batch;
struct ftri_origin;
struct ftri_record;

struct ftri_batch {
    struct ftri_batch *next; /* the holder's */
    struct ftri_bytes bytes;
    size_t room; /* in front; nothing is there yet */
    bool is_otlp;
    bool is_routed; /* has marks */
    size_t n_spans;
    uint64_t since_ns; /* the holder's */
};

/* In memory of the caller's, for ftri_batch_split alone. */
void ftri_batch_init(struct ftri_batch *self);
void ftri_batch_deinit(struct ftri_batch *self);
/* NULL: memory is short. It is begun before it is used. */
struct ftri_batch *ftri_batch_new(void);
void ftri_batch_free(struct ftri_batch *self);
/* All that hang together by next. */
void ftri_batches_free(struct ftri_batch *first);
/* Empty, for spans of this origin; keeps its memory. 0 or -ENOMEM. */
int ftri_batch_begin(struct ftri_batch *self, const struct ftri_origin *origin, bool is_otlp,
                     bool is_routed) FTRI_MUST_CHECK;

/* Bytes of its spans. */
static inline size_t ftri_batch_len(const struct ftri_batch *self)
{
    return self->bytes.len - self->room;
}

/* Appends a span's bytes, which its holder counts or cuts off again; `reading` is working memory.
 * routing: 0, unless it is routed. 0, -ENOMEM or -EMSGSIZE. */
int ftri_batch_append(struct ftri_batch *self, const struct ftri_record *record, uint32_t routing,
                      struct ftri_bytes *reading) FTRI_MUST_CHECK;
/* Of a routed batch: takes the spans of the next routing, in their order, and makes `part` a plain
 * batch of them, which counts them in any case; part->n_spans 0: there are no more. 0, or -ENOMEM:
 * it has not their bytes. */
int ftri_batch_split(struct ftri_batch *self, const struct ftri_origin *origin,
                     struct ftri_batch *part, uint32_t *ret_routing) FTRI_MUST_CHECK;
/* The spans as their exporter takes them, once: borrowed from the batch and from scratch. 0 or
 * -ENOMEM. */
int ftri_batch_present(struct ftri_batch *self, const struct ftri_origin *origin,
                       struct ftri_bytes *scratch,
                       struct ftr_export_batch *ret_batch) FTRI_MUST_CHECK;
