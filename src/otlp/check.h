/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that check.c and check_table.c are made of, walking over messages that nobody has
 * checked yet; what they noted when one failed, and the words for it. Internal to otlp. */
#pragma once

#include "codec/utf8.h"
#include "codec/wire.h"

struct ftri_otlp_failure {
    const uint8_t *message; /* first byte of the innermost message that is wrong */
    const uint8_t *at;      /* its field */
    uint32_t number;        /* of that field; 0: the message as a whole */
    const char *problem;    /* "size", "count", "depth": said with the numbers below; NULL: none */
    size_t expected;
    size_t found;
};

struct ftri_otlp_error;
struct ftri_otlp_limits;
struct ftri_otlp_message;

/* Walks down from the request, of type `root`, to the message and names the way. */
void ftri_otlp_failure_describe(const struct ftri_otlp_failure *failure,
                                const struct ftri_otlp_message *root, struct ftri_view request,
                                struct ftri_otlp_error *ret_error);

struct walk;

/* One attribute more, field `number`; false: it is over the limit, and refused. */
bool ftri_otlp_check_attribute(struct walk *walk, uint32_t number);
/* Whether a value may be in so many, itself included. */
bool ftri_otlp_check_depth(const struct walk *walk, size_t depth);

#define TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8 };

struct check {
    const struct ftri_otlp_limits *limits; /* of check.c */
    struct ftri_otlp_failure failure;
    size_t n_items;     /* spans, log records, data points */
    const uint8_t *end; /* of the request: up to here bytes may be read ahead */
};

/* A message that is being walked. */
struct walk {
    struct check *check;
    const uint8_t *begin;
    const uint8_t *next;
    const uint8_t *end;
    const uint8_t *field; /* where the last tag stands */
    size_t n_attributes;
    size_t n_events;
    size_t n_links;
};

static inline struct walk walk_of(struct check *check, struct ftri_view message)
{
    return (struct walk){.check = check,
                         .begin = message.data,
                         .next = message.data,
                         .end = message.data + message.len,
                         .field = message.data};
}

/* Notes a failure in field `number` of the message (0: the message itself). Returns false. */
static inline bool refuse(const struct walk *self, uint32_t number, const char *problem)
{
    struct ftri_otlp_failure *failure = &self->check->failure;
    if (!failure->problem) {
        failure->message = self->begin;
        failure->at = self->field;
        failure->number = number;
        failure->problem = problem;
    }
    return false;
}

static inline bool refuse_size(const struct walk *self, uint32_t number, size_t expected,
                               size_t found)
{
    self->check->failure.expected = expected;
    self->check->failure.found = found;
    return refuse(self, number, "size");
}

static inline bool refuse_count(const struct walk *self, uint32_t number, size_t limit)
{
    self->check->failure.expected = limit;
    return refuse(self, number, "count");
}

/* The tag at next, of whatever value. */
static inline bool next_tag(struct walk *self, uint32_t *ret_tag)
{
    uint64_t tag;
    self->field = self->next;
    if (FTRI_UNLIKELY(!ftri_wire_varint(&self->next, self->end, &tag) || tag > UINT32_MAX))
        return refuse(self, 0, "malformed field tag");
    *ret_tag = (uint32_t)tag;
    return true;
}

static inline bool take_bytes(struct walk *self, uint32_t number, struct ftri_view *ret_bytes)
{
    uint64_t len;
    if (FTRI_UNLIKELY(!ftri_wire_varint(&self->next, self->end, &len) ||
                      len > (uint64_t)(self->end - self->next)))
        return refuse(self, number, "length goes beyond the end of the message");
    *ret_bytes = ftri_view_of(self->next, (size_t)len);
    self->next += len;
    return true;
}

static inline bool is_text(const struct check *check, const uint8_t *data, size_t len)
{
    const ftr_str text = {(const char *)data, len};
    if (FTRI_LIKELY(len <= FTRI_UTF8_SHORT_BYTES && check->end - data >= FTRI_UTF8_SHORT_BYTES))
        return ftri_utf8_is_short_valid(text);
    return ftri_utf8_is_valid(text);
}

static inline bool take_text(struct walk *self, uint32_t number)
{
    struct ftri_view text;
    if (!take_bytes(self, number, &text))
        return false;
    if (FTRI_UNLIKELY(!is_text(self->check, text.data, text.len)))
        return refuse(self, number, "invalid UTF-8");
    return true;
}

static inline bool take_fixed(struct walk *self, uint32_t number, size_t size)
{
    if (FTRI_UNLIKELY((size_t)(self->end - self->next) < size))
        return refuse(self, number, "cut off");
    self->next += size;
    return true;
}

static inline bool take_varint(struct walk *self, uint32_t number)
{
    uint64_t value;
    if (FTRI_UNLIKELY(!ftri_wire_varint(&self->next, self->end, &value)))
        return refuse(self, number, "malformed varint");
    return true;
}

/* An id of `size` bytes, or where empty is allowed of none. */
static inline bool take_id(struct walk *self, uint32_t number, size_t size, bool may_be_empty,
                           const uint8_t **ret_id)
{
    struct ftri_view id;
    if (!take_bytes(self, number, &id))
        return false;
    if (FTRI_UNLIKELY(id.len != size && !(may_be_empty && id.len == 0)))
        return refuse_size(self, number, size, id.len);
    *ret_id = id.len ? id.data : NULL;
    return true;
}

/* Any field outside the message's cases: `n_known` is its highest known field number and `missing`
 * has the bits of the lower ones that it does not know. */
static inline bool take_other(struct walk *self, uint32_t tag, uint32_t n_known, uint32_t missing)
{
    const uint32_t number = tag >> 3;
    struct ftri_view skipped;
    if (number == 0)
        return refuse(self, 0, "field number 0");
    if (number <= n_known && !(missing >> number & 1))
        return refuse(self, number, "wrong wire type");
    switch (tag & 7) {
    case FTRI_WIRE_VARINT:
        return take_varint(self, 0);
    case FTRI_WIRE_FIXED64:
        return take_fixed(self, 0, 8);
    case FTRI_WIRE_FIXED32:
        return take_fixed(self, 0, 4);
    case FTRI_WIRE_BYTES:
        return take_bytes(self, 0, &skipped);
    default:
        return refuse(self, 0, "group or unknown wire type");
    }
}
