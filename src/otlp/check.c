/* SPDX-License-Identifier: Apache-2.0
 *
 * The one pass over received bytes that makes views safe. One function a message, each a loop over
 * whole tags: a field of known number with another wire type falls to the default branch and is
 * refused there. What went wrong is noted as a place only; its path is worked out afterwards, by
 * walking down to that place (path.c), so that the good case pays nothing for it. */
#include "otlp/check.h"

#include "otlp/schema.h"
#include "otlp/view.h"

#include <errno.h>

const struct ftri_otlp_limits ftri_otlp_unlimited = {FTRI_OTLP_NESTING_MAX, SIZE_MAX, SIZE_MAX,
                                                     SIZE_MAX};

static bool check_value(struct check *check, struct ftri_view message, size_t depth);

static bool check_elements(struct check *check, struct ftri_view message, bool is_map,
                           size_t depth);

/* True when the first n bytes are one varint. */
static inline bool is_varint(const struct check *check, const uint8_t *bytes, size_t n)
{
    const uint8_t *next = bytes;
    uint64_t value;
    if (FTRI_UNLIKELY(n > 8 || check->end - bytes < 8))
        return ftri_wire_varint(&next, bytes + n, &value) && next == bytes + n;
    /* All but the last have their top bit set. */
    const uint64_t top_bits = UINT64_C(0x8080808080808080) >> (8 - n) * 8;
    return (ftri_wire_load64(bytes) & top_bits) == (top_bits & ~(UINT64_C(0x80) << (n - 1) * 8));
}

/* One field that fills the message, as encoders write every value; depth as for check_value. */
static inline bool is_plain_value(struct check *check, const uint8_t *value, size_t len,
                                  size_t depth)
{
    if (FTRI_UNLIKELY(len < 2 || depth > check->limits->depth))
        return false;
    if (value[0] == TAG(1, FTRI_WIRE_BYTES))
        return value[1] == len - 2 && is_text(check, value + 2, len - 2);
    switch (value[0]) {
    case TAG(2, FTRI_WIRE_VARINT):
    case TAG(3, FTRI_WIRE_VARINT):
        return is_varint(check, value + 1, len - 1);
    case TAG(4, FTRI_WIRE_FIXED64):
        return len == 9;
    case TAG(5, FTRI_WIRE_BYTES):
    case TAG(6, FTRI_WIRE_BYTES):
        return value[1] == len - 2 && check_elements(check, ftri_view_of(value + 2, len - 2),
                                                     value[0] >> 3 == 6, depth + 1);
    case TAG(7, FTRI_WIRE_BYTES):
        return value[1] == len - 2;
    default:
        return false;
    }
}

/* Something deeper was refused: the long way would only find it once more, at every level. */
static bool has_failed(const struct walk *self)
{
    return self->check->failure.problem != NULL;
}

/* Goes past a length and the KeyValue behind it as encoders write most: shorter than 128 bytes, a
 * key, then a value. Not one, or wrong: false, nothing moved, and unless something has failed the
 * long way judges it. */
static inline bool take_plain_key_value(struct walk *self, size_t depth)
{
    const uint8_t *const p = self->next;
    const size_t room = (size_t)(self->end - p);
    if (FTRI_UNLIKELY(room < 5))
        return false;
    const size_t len = p[0], key_len = p[2];
    if (len >= 0x80 || len >= room || p[1] != TAG(1, FTRI_WIRE_BYTES) || key_len + 4 > len)
        return false;
    const uint8_t *const value = p + 3 + key_len;
    const size_t value_len = len - key_len - 4;
    if (value[0] != TAG(2, FTRI_WIRE_BYTES) || value[1] != value_len ||
        !is_text(self->check, p + 3, key_len) ||
        !is_plain_value(self->check, value + 2, value_len, depth))
        return false;
    self->next = p + 1 + len;
    return true;
}

/* The same for an AnyValue. */
static inline bool take_plain_value(struct walk *self, size_t depth)
{
    const uint8_t *const p = self->next;
    const size_t room = (size_t)(self->end - p);
    if (FTRI_UNLIKELY(room == 0 || p[0] >= 0x80 || p[0] >= room) ||
        !is_plain_value(self->check, p + 1, p[0], depth))
        return false;
    self->next = p + 1 + p[0];
    return true;
}

static bool check_key_value(struct check *check, struct ftri_view message, size_t depth)
{
    struct walk walk = walk_of(check, message);
    struct ftri_view value;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 1);
            break;
        case TAG(2, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 2, &value) && check_value(check, value, depth);
            break;
        default:
            ok = take_other(&walk, tag, 2, 0);
        }
    }
    return ok;
}

static bool take_element(struct walk *self, bool is_map, size_t depth)
{
    struct ftri_view element;
    if (FTRI_LIKELY(is_map ? take_plain_key_value(self, depth) : take_plain_value(self, depth)))
        return true;
    if (has_failed(self))
        return false;
    return take_bytes(self, 1, &element) && (is_map ? check_key_value(self->check, element, depth)
                                                    : check_value(self->check, element, depth));
}

/* Body of an ArrayValue or, with is_map, a KeyValueList. */
static bool check_elements(struct check *check, struct ftri_view message, bool is_map, size_t depth)
{
    struct walk walk = walk_of(check, message);
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        ok = tag == TAG(1, FTRI_WIRE_BYTES) ? take_element(&walk, is_map, depth)
                                            : take_other(&walk, tag, 1, 0);
    }
    return ok;
}

bool ftri_otlp_check_depth(const struct walk *walk, size_t depth)
{
    if (FTRI_LIKELY(depth <= walk->check->limits->depth))
        return true;
    walk->check->failure.expected = walk->check->limits->depth;
    return refuse(walk, 0, "depth");
}

/* depth: 1 for an attribute's value. */
static bool check_value(struct check *check, struct ftri_view message, size_t depth)
{
    struct walk walk = walk_of(check, message);
    struct ftri_view part;
    uint32_t tag;
    bool ok = true;
    if (FTRI_UNLIKELY(!ftri_otlp_check_depth(&walk, depth)))
        return false;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 1);
            break;
        case TAG(2, FTRI_WIRE_VARINT):
        case TAG(3, FTRI_WIRE_VARINT):
            ok = take_varint(&walk, tag >> 3);
            break;
        case TAG(4, FTRI_WIRE_FIXED64):
            ok = take_fixed(&walk, 4, 8);
            break;
        case TAG(5, FTRI_WIRE_BYTES):
        case TAG(6, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, tag >> 3, &part) &&
                 check_elements(check, part, tag >> 3 == 6, depth + 1);
            break;
        case TAG(7, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 7, &part);
            break;
        default:
            ok = take_other(&walk, tag, 7, 0);
        }
    }
    return ok;
}

bool ftri_otlp_check_attribute(struct walk *walk, uint32_t number)
{
    const size_t limit = walk->check->limits->n_attributes;
    return FTRI_LIKELY(walk->n_attributes++ < limit) || refuse_count(walk, number, limit);
}

static inline bool take_attribute(struct walk *self, uint32_t number)
{
    struct ftri_view attribute;
    if (FTRI_UNLIKELY(!ftri_otlp_check_attribute(self, number)))
        return false;
    if (FTRI_LIKELY(take_plain_key_value(self, 1)))
        return true;
    if (has_failed(self))
        return false;
    return take_bytes(self, number, &attribute) && check_key_value(self->check, attribute, 1);
}

static bool check_event(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_FIXED64):
            ok = take_fixed(&walk, 1, 8);
            break;
        case TAG(2, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 2);
            break;
        case TAG(3, FTRI_WIRE_BYTES):
            ok = take_attribute(&walk, 3);
            break;
        case TAG(4, FTRI_WIRE_VARINT):
            ok = take_varint(&walk, 4);
            break;
        default:
            ok = take_other(&walk, tag, 4, 0);
        }
    }
    return ok;
}

static bool check_link(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    const uint8_t *id;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_BYTES):
            ok = take_id(&walk, 1, TRACE_ID_BYTES, true, &id);
            break;
        case TAG(2, FTRI_WIRE_BYTES):
            ok = take_id(&walk, 2, SPAN_ID_BYTES, true, &id);
            break;
        case TAG(3, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 3);
            break;
        case TAG(4, FTRI_WIRE_BYTES):
            ok = take_attribute(&walk, 4);
            break;
        case TAG(5, FTRI_WIRE_VARINT):
            ok = take_varint(&walk, 5);
            break;
        case TAG(6, FTRI_WIRE_FIXED32):
            ok = take_fixed(&walk, 6, 4);
            break;
        default:
            ok = take_other(&walk, tag, 6, 0);
        }
    }
    return ok;
}

static bool check_status(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        if (tag == TAG(2, FTRI_WIRE_BYTES))
            ok = take_text(&walk, 2);
        else if (tag == TAG(3, FTRI_WIRE_VARINT))
            ok = take_varint(&walk, 3);
        else
            ok = take_other(&walk, tag, 3, 1u << 1); /* field 1 was removed from the protocol */
    }
    return ok;
}

/* The ids of a span, each as its last occurrence has it. */
struct span_ids {
    const uint8_t *trace_id;
    const uint8_t *span_id;
};

static bool check_ids(const struct walk *walk, const struct span_ids *ids)
{
    if (FTRI_UNLIKELY(!ids->trace_id))
        return refuse_size(walk, 1, TRACE_ID_BYTES, 0);
    if (FTRI_UNLIKELY(!ids->span_id))
        return refuse_size(walk, 2, SPAN_ID_BYTES, 0);
    if (FTRI_UNLIKELY((ftri_wire_load64(ids->trace_id) | ftri_wire_load64(ids->trace_id + 8)) == 0))
        return refuse(walk, 1, "all bytes are zero");
    if (FTRI_UNLIKELY(ftri_wire_load64(ids->span_id) == 0))
        return refuse(walk, 2, "all bytes are zero");
    return true;
}

/* The nested messages of a span. */
static bool take_span_part(struct walk *self, uint32_t number)
{
    const struct ftri_otlp_limits *limits = self->check->limits;
    struct ftri_view part;
    if (number == 11 && FTRI_UNLIKELY(self->n_events++ >= limits->n_events))
        return refuse_count(self, number, limits->n_events);
    if (number == 13 && FTRI_UNLIKELY(self->n_links++ >= limits->n_links))
        return refuse_count(self, number, limits->n_links);
    if (!take_bytes(self, number, &part))
        return false;
    if (number == 11)
        return check_event(self->check, part);
    return number == 13 ? check_link(self->check, part) : check_status(self->check, part);
}

static bool take_span_field(struct walk *self, uint32_t tag, struct span_ids *ids)
{
    const uint8_t *parent;
    if (FTRI_LIKELY(tag == TAG(9, FTRI_WIRE_BYTES)))
        return take_attribute(self, 9);
    switch (tag) {
    case TAG(1, FTRI_WIRE_BYTES):
        return take_id(self, 1, TRACE_ID_BYTES, false, &ids->trace_id);
    case TAG(2, FTRI_WIRE_BYTES):
        return take_id(self, 2, SPAN_ID_BYTES, false, &ids->span_id);
    case TAG(4, FTRI_WIRE_BYTES):
        return take_id(self, 4, SPAN_ID_BYTES, true, &parent);
    case TAG(3, FTRI_WIRE_BYTES):
    case TAG(5, FTRI_WIRE_BYTES):
        return take_text(self, tag >> 3);
    case TAG(7, FTRI_WIRE_FIXED64):
    case TAG(8, FTRI_WIRE_FIXED64):
        return take_fixed(self, tag >> 3, 8);
    case TAG(6, FTRI_WIRE_VARINT):
    case TAG(10, FTRI_WIRE_VARINT):
    case TAG(12, FTRI_WIRE_VARINT):
    case TAG(14, FTRI_WIRE_VARINT):
        return take_varint(self, tag >> 3);
    case TAG(11, FTRI_WIRE_BYTES):
    case TAG(13, FTRI_WIRE_BYTES):
    case TAG(15, FTRI_WIRE_BYTES):
        return take_span_part(self, tag >> 3);
    case TAG(16, FTRI_WIRE_FIXED32):
        return take_fixed(self, 16, 4);
    default:
        return take_other(self, tag, 16, 0);
    }
}

static bool check_span(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    struct span_ids ids = {0};
    uint32_t tag;
    while (walk.next < walk.end)
        if (!next_tag(&walk, &tag) || !take_span_field(&walk, tag, &ids))
            return false;
    walk.field = walk.begin;
    check->n_items++;
    return check_ids(&walk, &ids);
}

/* Resource: attributes 1, dropped 2. Scope: name 1, version 2, attributes 3, dropped 4. */
static bool check_origin(struct check *check, struct ftri_view message, bool is_scope)
{
    struct walk walk = walk_of(check, message);
    const uint32_t attributes = is_scope ? 3 : 1;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        if (tag == TAG(attributes, FTRI_WIRE_BYTES))
            ok = take_attribute(&walk, attributes);
        else if (tag == TAG(attributes + 1, FTRI_WIRE_VARINT))
            ok = take_varint(&walk, attributes + 1);
        else if (is_scope && (tag == TAG(1, FTRI_WIRE_BYTES) || tag == TAG(2, FTRI_WIRE_BYTES)))
            ok = take_text(&walk, tag >> 3);
        else
            ok = take_other(&walk, tag, attributes + 1, 0);
    }
    return ok;
}

static bool check_scope_spans(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    struct ftri_view part;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 1, &part) && check_origin(check, part, true);
            break;
        case TAG(2, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 2, &part) && check_span(check, part);
            break;
        case TAG(3, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 3);
            break;
        default:
            ok = take_other(&walk, tag, 3, 0);
        }
    }
    return ok;
}

static bool check_resource_spans(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    struct ftri_view part;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        switch (tag) {
        case TAG(1, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 1, &part) && check_origin(check, part, false);
            break;
        case TAG(2, FTRI_WIRE_BYTES):
            ok = take_bytes(&walk, 2, &part) && check_scope_spans(check, part);
            break;
        case TAG(3, FTRI_WIRE_BYTES):
            ok = take_text(&walk, 3);
            break;
        default:
            ok = take_other(&walk, tag, 3, 0);
        }
    }
    return ok;
}

static bool check_request(struct check *check, struct ftri_view message)
{
    struct walk walk = walk_of(check, message);
    struct ftri_view part;
    uint32_t tag;
    bool ok = true;
    while (ok && walk.next < walk.end) {
        if (!next_tag(&walk, &tag))
            return false;
        if (tag == TAG(1, FTRI_WIRE_BYTES))
            ok = take_bytes(&walk, 1, &part) && check_resource_spans(check, part);
        else
            ok = take_other(&walk, tag, 1, 0);
    }
    return ok;
}

int ftri_otlp_traces_check(struct ftri_view bytes, struct ftri_otlp_counts *ret_counts,
                           struct ftri_otlp_error *ret_error)
{
    return ftri_otlp_traces_check_within(bytes, &ftri_otlp_unlimited, ret_counts, ret_error);
}

int ftri_otlp_traces_check_within(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                                  struct ftri_otlp_counts *ret_counts,
                                  struct ftri_otlp_error *ret_error)
{
    struct check check = {.limits = limits, .end = bytes.data + bytes.len};
    if (bytes.len && !check_request(&check, bytes)) {
        ftri_otlp_failure_describe(&check.failure, &ftri_otlp_request, bytes, ret_error);
        return -EBADMSG;
    }
    *ret_counts = (struct ftri_otlp_counts){.n_spans = check.n_items};
    return 0;
}
