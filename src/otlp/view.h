/* SPDX-License-Identifier: Apache-2.0
 *
 * Zero-copy views over the bytes of an OTLP ExportTraceServiceRequest / TracesData
 * (opentelemetry-proto 1.x: resource_spans = 1; resource = 1, scope_spans = 2, schema_url = 3;
 * ...).
 *
 * Nothing is copied or allocated: every ftr_str and view points into the caller's bytes and is
 * valid as long as they are. A view is only made over bytes that ftri_otlp_traces_check accepted;
 * the walkers below then cannot fail. Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

#include <flowtrace/types.h>
#include <string.h>

/* Why bytes were refused. `path` names the field in the words of the protocol, e.g.
 * "resourceSpans[0].scopeSpans[2].spans[17].traceId". */
struct ftri_otlp_error {
    char path[160];
    char reason[160]; /* "expected 16 bytes, found 12" */
    size_t offset;    /* in the checked bytes */
};

struct ftri_otlp_counts {
    size_t n_spans;
};

/* Walks every field of every message: wire types, lengths, UTF-8, id lengths, nesting (100 levels).
 * 0, or -EBADMSG with ret_error filled. Empty bytes are a valid empty request.
 * A span needs a trace id and a span id that are not all zero; its parent id and the ids of links
 * may be missing or empty. Unknown fields of any type but groups are skipped.
 * A singular field that occurs twice: the last wins, also where it is a message (protobuf would
 * merge the two, which no view can; no encoder writes such bytes). */
int ftri_otlp_traces_check(struct ftri_view bytes, struct ftri_otlp_counts *ret_counts,
                           struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;

/* What a request may hold beside its size. */
struct ftri_otlp_limits {
    size_t depth;        /* levels of a value, 1 to 100 */
    size_t n_attributes; /* of a resource, scope, span, event, link, log record or data point */
    size_t n_events;     /* of a span */
    size_t n_links;      /* of a span */
};
/* 100 levels, and nothing else is limited. */
extern const struct ftri_otlp_limits ftri_otlp_unlimited;

/* The same check within limits. */
int ftri_otlp_traces_check_within(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                                  struct ftri_otlp_counts *ret_counts,
                                  struct ftri_otlp_error *ret_error) FTRI_MUST_CHECK;

/* Status codes (Status.StatusCode). */
enum { FTRI_OTLP_STATUS_OK = 1, FTRI_OTLP_STATUS_ERROR = 2 };

/* From the first to behind the last field of one kind in a Span message; 0, 0: there is none. */
struct ftri_otlp_stretch {
    uint32_t start, end;
};

/* One span with where it stands. */
struct ftri_otlp_span {
    struct ftri_view bytes;    /* of the Span message, without tag and length */
    struct ftri_view resource; /* of the Resource message; empty if absent */
    struct ftri_view scope;    /* of the InstrumentationScope message; empty if absent */
    ftr_str resource_schema_url;
    ftr_str scope_schema_url;
    const uint8_t *trace_id;       /* 16 bytes */
    const uint8_t *span_id;        /* 8 bytes */
    const uint8_t *parent_span_id; /* 8 bytes, or NULL: missing, empty or all zero */
    ftr_str name;
    ftr_str tracestate;
    uint64_t start_time_ns;
    uint64_t end_time_ns; /* 0: unfinished */
    uint32_t flags;
    int32_t kind;
    int32_t status_code;
    ftr_str status_message;
    uint32_t n_dropped_attributes;
    uint32_t n_dropped_events;
    uint32_t n_dropped_links;
    struct ftri_otlp_stretch attributes, events, links;
};

/* A fragment: what came of a span apart from the span itself. A Span message of this name and
 * without an end; of what it says, only the ids and the events count beside a span of the same
 * ids. Made of log records (log_events.h). */
#define FTRI_OTLP_FRAGMENT_NAME "(span not received)"
static inline bool ftri_otlp_is_fragment(ftr_str name, uint64_t end_time_ns)
{
    return end_time_ns == 0 && name.len == sizeof FTRI_OTLP_FRAGMENT_NAME - 1 &&
           memcmp(name.data, FTRI_OTLP_FRAGMENT_NAME, name.len) == 0;
}

/* A stretch of its bytes: what the walkers below find in it is what they find in all of them, but
 * they pass over less. */
static inline struct ftri_view ftri_otlp_stretch_view(const struct ftri_otlp_span *span,
                                                      struct ftri_otlp_stretch stretch)
{
    return ftri_view_of(span->bytes.data + stretch.start, stretch.end - stretch.start);
}

/* Iterates over all spans in order. */
struct ftri_otlp_cursor {
    struct ftri_view request; /* checked */
    struct ftri_view resource_spans;
    struct ftri_view scope_spans;
    size_t request_next; /* where to go on in each of the three */
    size_t resource_spans_next;
    size_t scope_spans_next;
    struct ftri_otlp_span current;
};

void ftri_otlp_cursor_init(struct ftri_otlp_cursor *self, struct ftri_view bytes);
/* False at the end. *ret_span is borrowed from the cursor. */
bool ftri_otlp_cursor_next(struct ftri_otlp_cursor *self, const struct ftri_otlp_span **ret_span);
/* How many spans the cursor would give, without reading any. */
size_t ftri_otlp_count_spans(struct ftri_view bytes);
/* Reads the Span message alone, as the store keeps it. resource, scope and schema urls stay empty.
 */
void ftri_otlp_span_read(struct ftri_view bytes, struct ftri_otlp_span *ret_span);

/* Lazily walks what repeats inside a message. `next` starts at 0. False at the end. */
struct ftri_otlp_attribute {
    ftr_str key;
    struct ftri_view value; /* of the AnyValue message */
};
/* Attributes (KeyValue) of a Span (field 9), Resource (1), Scope (3), Event (3), Link (4),
 * LogRecord (6), NumberDataPoint (7). */
enum ftri_otlp_owner {
    FTRI_OTLP_SPAN,
    FTRI_OTLP_RESOURCE,
    FTRI_OTLP_SCOPE,
    FTRI_OTLP_EVENT,
    FTRI_OTLP_LINK,
    FTRI_OTLP_LOG_RECORD,
    FTRI_OTLP_NUMBER_POINT
};
bool ftri_otlp_attribute_next(enum ftri_otlp_owner owner, struct ftri_view message, size_t *next,
                              struct ftri_otlp_attribute *ret_attribute);
/* Finds one by key. */
bool ftri_otlp_attribute_find(enum ftri_otlp_owner owner, struct ftri_view message, ftr_str key,
                              struct ftri_view *ret_value);
/* Whether a KeyValue message has this key. */
bool ftri_otlp_key_is(struct ftri_view key_value, ftr_str key);
/* Scalars out of an AnyValue: arrays and maps give their type with as.array/map empty. */
ftr_value ftri_otlp_value_read(struct ftri_view any_value);
/* The body of the array or map in an AnyValue; empty if it holds neither. */
struct ftri_view ftri_otlp_value_list(struct ftri_view any_value);
/* Walks it. Elements of an array have an empty key. is_map: the value's type is FTR_VALUE_MAP. */
bool ftri_otlp_element_next(struct ftri_view list, bool is_map, size_t *next,
                            struct ftri_otlp_attribute *ret_element);

struct ftri_otlp_event {
    uint64_t time_ns;
    ftr_str name;
    struct ftri_view bytes; /* of the Event message, for its attributes */
};
bool ftri_otlp_event_next(struct ftri_view span, size_t *next, struct ftri_otlp_event *ret_event);

struct ftri_otlp_link {
    const uint8_t *trace_id; /* 16 bytes; zeros where the link has none */
    const uint8_t *span_id;  /* 8 bytes; zeros where the link has none */
    ftr_str tracestate;
    uint32_t flags;
    struct ftri_view bytes; /* of the Link message */
};
bool ftri_otlp_link_next(struct ftri_view span, size_t *next, struct ftri_otlp_link *ret_link);

/* service.name of a Resource message; "unknown_service" if it has none that is a text. */
ftr_str ftri_otlp_service_name(struct ftri_view resource);
