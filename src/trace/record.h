/* SPDX-License-Identifier: Apache-2.0
 *
 * A span as it is being recorded and as it travels to the exporters: a fixed head and a stream of
 * entries (appended only; an entry that was replaced is marked dead).
 *
 *     head (96 bytes) | name, padded to 16 | entry | entry | ...
 *     entry: struct ftri_entry | key | value, together padded to 8
 *     values of an entry of its own kind: u32 number of the keys, u32 n,
 *                                         { u64 len << 3 | type, value padded to 8 } * n
 *
 * The name of a call site is not there: its number is (intern.h).
 *
 * While the span is open the head and the first part of the stream lie in its slot, the rest in
 * pages; in a journal and in an exporter's queue everything is contiguous, padded to 16.
 * Values inside entries (see stream.c): scalars 8 bytes, strings and bytes as they are,
 * arrays as { u8 type, u32 len, value }*, maps as { u32 key_len, u8 type, u32 len, key, value }*.
 */
#pragma once

#include "base/check.h"

#include <flowtrace/context.h>
#include <string.h>

struct ftr_span_data;

enum ftri_record_bit {
    FTRI_RECORD_PARENT_IS_REMOTE = 1, /* the value of `is_remote`, see origin_of() in span.c */
    FTRI_RECORD_START_IS_WALL = 2,
    FTRI_RECORD_END_IS_WALL = 4,
    FTRI_RECORD_PAD = 8,       /* no span: fills the ring up to its end */
    FTRI_RECORD_IS_OPEN = 16,  /* a copy made before the end */
    FTRI_RECORD_HAS_SITE = 32, /* name_len is the number of the name, which is not in the stream */
    FTRI_RECORD_CROSSES = 64,  /* no span: a context of this trace went to another process */
    FTRI_RECORD_IS_RENAMED = 128 /* an entry has the name */
};

struct ftri_record {
    uint32_t size;       /* head, stream and padding; while open see SHORT in span.c */
    uint32_t stream_len; /* bytes */
    uint8_t kind;        /* from here to clock: one word, see begin() in span.c */
    uint8_t status;
    uint8_t trace_flags;
    uint8_t bits; /* enum ftri_record_bit */
    uint32_t clock;
    ftr_trace_id trace_id;
    ftr_span_id span_id;
    ftr_span_id parent_id;
    uint64_t start; /* stamp, or Unix ns when the bit says so */
    uint64_t end;
    struct ftr_context_block *block; /* owned reference; NULL in a queue */
    uint16_t name_len;               /* or a number, see FTRI_RECORD_HAS_SITE */
    uint16_t n_attributes;           /* entries, the dead ones included */
    uint16_t n_events;
    uint16_t n_links;
    uint32_t n_dropped_attributes;
    uint32_t n_dropped_events;
    uint32_t n_dropped_links;
    union {
        uint32_t n_fields; /* inherited ones in the stream; in queues only */
        uint32_t routing;  /* of a user span; in slots and journals only */
    };
};

enum ftri_entry_type {
    FTRI_ENTRY_ATTRIBUTE = 1,
    FTRI_ENTRY_EVENT = 2,      /* key: name; value: struct ftri_event_head, map */
    FTRI_ENTRY_LINK = 3,       /* key: tracestate; value: struct ftri_link_head, map */
    FTRI_ENTRY_NAME = 4,       /* value: replaces the span's name */
    FTRI_ENTRY_STATUS = 5,     /* value: the status' description */
    FTRI_ENTRY_TRACESTATE = 6, /* value; in queues only */
    FTRI_ENTRY_FIELDS = 7,     /* value: as context/fields.h; in queues only, behind attributes */
    FTRI_ENTRY_VALUES = 8      /* value: attributes with interned keys, see above */
};

struct ftri_entry {
    uint8_t type;
    uint8_t value_type; /* ftr_value_type */
    uint8_t is_dead;
    uint8_t reserved;
    uint32_t size; /* of the whole entry, a multiple of 8 */
    uint32_t key_len;
    uint32_t value_len;
};

struct ftri_event_head {
    uint64_t time; /* stamp, by the record's clock */
    uint32_t n_attributes;
    uint32_t n_dropped;
};

struct ftri_link_head {
    ftr_span_context context;
    uint32_t n_attributes;
    uint32_t n_dropped;
};

struct ftri_values_head {
    uint32_t keys; /* number of an interned list */
    uint32_t n;    /* of values; as many as keys */
};

/* A scalar of 8 bytes, or text. */
static inline uint64_t ftri_values_item(ftr_value_type type, uint64_t len)
{
    return len << 3 | (uint64_t)type;
}

struct ftri_values_item {
    ftr_value_type type;
    uint64_t len;
    const uint8_t *data;
};

/* The item at *at, which moves behind it; it was checked. */
static inline struct ftri_values_item ftri_values_next(const uint8_t **at)
{
    uint64_t word;
    memcpy(&word, *at, sizeof word);
    const struct ftri_values_item item = {(ftr_value_type)(word & 7), word >> 3, *at + sizeof word};
    *at = item.data + ((item.len + 7) & ~(uint64_t)7);
    return item;
}

static inline size_t ftri_pad8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static inline size_t ftri_pad16(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* Trace flags of this process only, taken over by what is below: the flow waits for its verdict, or
 * is exported for certain, whatever ftr_set_mode says (ftr_node_set_mode). Flows that wait tell in
 * which of the last eight periods in which some did they began. */
enum {
    FTRI_TRACE_PERIOD = 4 | 8 | 16,
    FTRI_TRACE_NEXT_PERIOD = 4,
    FTRI_TRACE_IS_KEPT = 32,
    FTRI_TRACE_WAITS = 64
};
enum {
    FTRI_TRACE_MARKS = FTRI_TRACE_PERIOD | FTRI_TRACE_IS_KEPT | FTRI_TRACE_WAITS,
    FTRI_TRACE_IS_LOCAL = FTRI_TRACE_MARKS | FTR_TRACE_FLAG_RECORDED
};

/* Counted, and exported nowhere (FTR_DECISION_RECORD). */
static inline bool ftri_record_is_only_recorded(const struct ftri_record *self)
{
    return !(self->trace_flags & FTR_TRACE_FLAG_SAMPLED);
}

/* Without what is said in this process only. */
static inline uint8_t ftri_record_w3c_flags(uint8_t trace_flags)
{
    return (uint8_t)(trace_flags & ~FTRI_TRACE_IS_LOCAL);
}

static inline const uint8_t *ftri_record_stream(const struct ftri_record *self)
{
    return (const uint8_t *)(self + 1);
}

/* Where the stream's entries begin. */
static inline size_t ftri_record_entries(const struct ftri_record *self)
{
    return self->bits & FTRI_RECORD_HAS_SITE ? 0 : ftri_pad16(self->name_len);
}

/* In which form records are read. Krishiv's: what is read has its own traceparent and tracestate as
 * attributes, unless the span set them itself. Foundations': every event is a "Log entry" of texts
 * that has the event's name as its field `event`, no kind where it is FTR_KIND_INTERNAL, an error
 * where there is an attribute `error`. Written between sessions, read by any thread. */
enum ftri_record_form { FTRI_FORM_PLAIN, FTRI_FORM_KRISHIV, FTRI_FORM_FOUNDATIONS };
extern _Atomic uint8_t ftri_record_form;
enum { FTRI_OWN_ATTRIBUTES = 2, FTRI_OWN_TEXT = 56 /* a traceparent, NUL and all */ };

/* Bytes of working memory that reading any record of a stream of this length may need. */
static inline size_t ftri_record_scratch(size_t stream_len)
{
    return stream_len * 6 + (FTR_CONTEXT_FIELDS + FTRI_OWN_ATTRIBUTES) * sizeof(ftr_attribute) +
           FTRI_OWN_TEXT + 64;
}

/* The record in the exporters' form: borrowed from the record and from scratch, which is aligned
 * to 8 and has room for ftri_record_scratch bytes. Of attributes with the same key the last counts.
 * Returns the bytes of scratch that were used. */
size_t ftri_record_read(const struct ftri_record *self, void *scratch,
                        struct ftr_span_data *ret_span);
/* Unix ns; end: 0 while the span is open, else not before the start. */
void ftri_record_times(const struct ftri_record *self, uint64_t *ret_start_ns,
                       uint64_t *ret_end_ns);
/* The same without attributes, events, links and working memory. */
void ftri_record_read_head(const struct ftri_record *self, struct ftr_span_data *ret_span);
/* A copy that outlives the context block: what that says is inside instead of by reference. */
size_t ftri_record_copy_size(const struct ftri_record *self);
void ftri_record_copy(const struct ftri_record *self, void *to);
/* A copy of a copy with one text attribute more, which replaces one of the same key. SIZE_MAX: it
 * has no room for one. */
size_t ftri_record_size_with_text(const struct ftri_record *self, ftr_str key, ftr_str value);
void ftri_record_copy_with_text(const struct ftri_record *self, ftr_str key, ftr_str value,
                                void *to);
