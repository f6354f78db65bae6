// SPDX-License-Identifier: Apache-2.0
#include "peer.h"

#include "trace.pb.h"

#include <cstdio>
#include <cstring>
#include <google/protobuf/arena.h>
#include <string>

namespace otlp = flowtrace::test::otlp;
using otlp::AnyValue;
using otlp::ExportTraceServiceRequest;
using otlp::KeyValue;
using otlp::Span;
template <typename T> using Many = google::protobuf::RepeatedPtrField<T>;

namespace
{

uint64_t sum_of(const std::string &text)
{
    return peer_text_sum(text.data(), text.size());
}

uint64_t sum_of(const AnyValue &value);

uint64_t sum_of(const Many<KeyValue> &attributes)
{
    uint64_t sum = 0;
    for (const KeyValue &attribute : attributes)
        sum += sum_of(attribute.key()) + 2 * sum_of(attribute.value());
    return sum;
}

uint64_t sum_of(const AnyValue &value)
{
    uint64_t bits = 0;
    double number;
    switch (value.value_case()) {
    case AnyValue::kStringValue:
        return sum_of(value.string_value());
    case AnyValue::kBoolValue:
        return 2 * uint64_t{value.bool_value()};
    case AnyValue::kIntValue:
        return 3 * static_cast<uint64_t>(value.int_value());
    case AnyValue::kDoubleValue:
        number = value.double_value();
        std::memcpy(&bits, &number, sizeof bits);
        return 4 * bits;
    case AnyValue::kArrayValue:
        for (const AnyValue &item : value.array_value().values())
            bits += sum_of(item);
        return 5 * bits;
    case AnyValue::kKvlistValue:
        return 6 * sum_of(value.kvlist_value().values());
    case AnyValue::kBytesValue:
        return 7 * sum_of(value.bytes_value());
    default:
        return 0;
    }
}

uint64_t sum_of(const Span::Event &event)
{
    return event.time_unix_nano() + 2 * sum_of(event.name()) + 3 * sum_of(event.attributes());
}

uint64_t sum_of(const Span::Link &link)
{
    return sum_of(link.trace_id()) + 2 * sum_of(link.span_id()) + 3 * sum_of(link.trace_state()) +
           4 * sum_of(link.attributes()) + 6 * uint64_t{link.flags()};
}

uint64_t sum_of(const Span &span)
{
    uint64_t sum = sum_of(span.trace_id()) + 2 * sum_of(span.span_id()) +
                   3 * sum_of(span.trace_state()) + 4 * sum_of(span.parent_span_id()) +
                   5 * sum_of(span.name()) + 6 * static_cast<uint64_t>(span.kind()) +
                   7 * span.start_time_unix_nano() + 8 * span.end_time_unix_nano() +
                   9 * sum_of(span.attributes()) + 10 * uint64_t{span.dropped_attributes_count()} +
                   12 * uint64_t{span.dropped_events_count()} +
                   14 * uint64_t{span.dropped_links_count()} +
                   15 * (2 * sum_of(span.status().message()) +
                         3 * static_cast<uint64_t>(span.status().code())) +
                   16 * uint64_t{span.flags()};
    for (const Span::Event &event : span.events())
        sum += 11 * sum_of(event);
    for (const Span::Link &link : span.links())
        sum += 13 * sum_of(link);
    return sum;
}

uint64_t sum_of(const ExportTraceServiceRequest &request)
{
    uint64_t sum = 0;
    for (const otlp::ResourceSpans &resource : request.resource_spans()) {
        sum += sum_of(resource.resource().attributes());
        for (const otlp::ScopeSpans &scope : resource.scope_spans()) {
            sum += sum_of(scope.scope().name()) + sum_of(scope.scope().version());
            for (const Span &span : scope.spans())
                sum += sum_of(span);
        }
    }
    return sum;
}

uint64_t parse(ExportTraceServiceRequest &request, const uint8_t *bytes, size_t len, bool with_sum)
{
    if (!request.ParseFromArray(bytes, static_cast<int>(len))) {
        std::fprintf(stderr, "protobuf C++ refuses the request\n");
        std::exit(1);
    }
    return with_sum ? sum_of(request) : 0;
}

/* --- comparing --- */

bool differs(const char *what)
{
    std::fprintf(stderr, "decoded by protobuf, %s differs\n", what);
    return false;
}

bool same(const std::string &text, const void *data, size_t len)
{
    return text.size() == len && std::memcmp(text.data(), data, len) == 0;
}

bool same(const std::string &text, ftr_str expected)
{
    return same(text, expected.data, expected.len);
}

bool same(const AnyValue &value, const ftr_value &expected);

bool same(const Many<KeyValue> &attributes, const ftr_attribute *expected, size_t n)
{
    if (static_cast<size_t>(attributes.size()) != n)
        return differs("the number of attributes");
    for (size_t i = 0; i < n; i++) {
        const KeyValue &attribute = attributes[static_cast<int>(i)];
        if (!same(attribute.key(), expected[i].key))
            return differs("a key");
        if (!same(attribute.value(), expected[i].value))
            return differs(attribute.key().c_str());
    }
    return true;
}

bool same_items(const Many<AnyValue> &items, const ftr_value &expected)
{
    if (static_cast<size_t>(items.size()) != expected.as.array.n_items)
        return false;
    for (size_t i = 0; i < expected.as.array.n_items; i++)
        if (!same(items[static_cast<int>(i)], expected.as.array.items[i]))
            return false;
    return true;
}

bool same(const AnyValue &value, const ftr_value &expected)
{
    if (static_cast<int>(value.value_case()) != static_cast<int>(expected.type))
        return false;
    switch (expected.type) {
    case FTR_VALUE_EMPTY:
        return true;
    case FTR_VALUE_STR:
        return same(value.string_value(), expected.as.str);
    case FTR_VALUE_BOOL:
        return value.bool_value() == expected.as.boolean;
    case FTR_VALUE_I64:
        return value.int_value() == expected.as.i64;
    case FTR_VALUE_F64:
        return value.double_value() == expected.as.f64;
    case FTR_VALUE_ARRAY:
        return same_items(value.array_value().values(), expected);
    case FTR_VALUE_MAP:
        return same(value.kvlist_value().values(), expected.as.map.items, expected.as.map.n_items);
    case FTR_VALUE_BYTES:
        return same(value.bytes_value(), expected.as.str);
    }
    return false;
}

bool same_events(const Span &span, const ftr_span_data &expected, bool exact_times)
{
    if (static_cast<size_t>(span.events_size()) != expected.n_events)
        return differs("the number of events");
    for (size_t i = 0; i < expected.n_events; i++) {
        const Span::Event &event = span.events(static_cast<int>(i));
        const ftr_event_data &wanted = expected.events[i];
        const bool is_in_span = event.time_unix_nano() >= span.start_time_unix_nano() &&
                                event.time_unix_nano() <= span.end_time_unix_nano();
        if (exact_times ? event.time_unix_nano() != wanted.time_ns : !is_in_span)
            return differs("an event's time");
        if (!same(event.name(), wanted.name) || event.dropped_attributes_count() != 0)
            return differs("an event");
        if (!same(event.attributes(), wanted.attributes, wanted.n_attributes))
            return false;
    }
    return true;
}

bool same_links(const Span &span, const ftr_span_data &expected)
{
    if (static_cast<size_t>(span.links_size()) != expected.n_links)
        return differs("the number of links");
    for (size_t i = 0; i < expected.n_links; i++) {
        const Span::Link &link = span.links(static_cast<int>(i));
        const ftr_link_data &wanted = expected.links[i];
        if (!same(link.trace_id(), wanted.context.trace_id.bytes, 16) ||
            !same(link.span_id(), wanted.context.span_id.bytes, 8) || (link.flags() & 0xff) != 1 ||
            !same(link.trace_state(), wanted.tracestate))
            return differs("a link");
        if (!same(link.attributes(), wanted.attributes, wanted.n_attributes))
            return false;
    }
    return true;
}

bool same_ids(const Span &span, const ftr_span_data &expected)
{
    const ftr_span_id none = {};
    const bool is_root = std::memcmp(&expected.parent_span_id, &none, sizeof none) == 0;
    return same(span.trace_id(), expected.context.trace_id.bytes, 16) &&
           same(span.span_id(), expected.context.span_id.bytes, 8) &&
           same(span.parent_span_id(), expected.parent_span_id.bytes, is_root ? 0 : 8);
}

bool same(const Span &span, const ftr_span_data &expected, bool exact_times)
{
    const uint64_t start = span.start_time_unix_nano(), end = span.end_time_unix_nano();
    if (!same_ids(span, expected))
        return differs("an id");
    if (exact_times ? start != expected.start_time_ns || end != expected.end_time_ns
                    : start == 0 || end < start)
        return differs("a time");
    if (!same(span.name(), expected.name) || span.kind() != static_cast<int>(expected.kind) ||
        !span.trace_state().empty() || (span.flags() & 0xff) != expected.context.trace_flags)
        return differs("a name, kind, trace state or flags");
    if (span.status().code() != static_cast<int>(expected.status) ||
        !same(span.status().message(), expected.status_description))
        return differs("a status");
    if (span.dropped_attributes_count() + span.dropped_events_count() + span.dropped_links_count())
        return differs("a dropped count");
    return same(span.attributes(), expected.attributes, expected.n_attributes) &&
           same_events(span, expected, exact_times) && same_links(span, expected);
}

} // namespace

struct peer_message {
    ExportTraceServiceRequest request;
};

uint64_t peer_cpp_heap(const uint8_t *bytes, size_t len, bool with_sum)
{
    ExportTraceServiceRequest request;
    return parse(request, bytes, len, with_sum);
}

uint64_t peer_cpp_arena(const uint8_t *bytes, size_t len, bool with_sum)
{
    google::protobuf::Arena arena;
    auto *request = google::protobuf::Arena::CreateMessage<ExportTraceServiceRequest>(&arena);
    return parse(*request, bytes, len, with_sum);
}

bool peer_cpp_is_equal(const uint8_t *bytes, size_t len, const ftr_span_data *spans, size_t n_spans,
                       bool exact_times)
{
    ExportTraceServiceRequest request;
    parse(request, bytes, len, false);
    size_t n = 0;
    for (const otlp::ResourceSpans &resource : request.resource_spans())
        for (const otlp::ScopeSpans &scope : resource.scope_spans())
            for (const Span &span : scope.spans())
                if (n == n_spans || !same(span, spans[n++], exact_times))
                    return differs("a span");
    return n == n_spans || differs("the number of spans");
}

peer_message *peer_cpp_message_new(const uint8_t *bytes, size_t len)
{
    auto *message = new peer_message;
    parse(message->request, bytes, len, false);
    return message;
}

size_t peer_cpp_serialise(const peer_message *self, uint8_t *room, size_t room_len)
{
    const size_t size = self->request.ByteSizeLong();
    if (size > room_len)
        return 0;
    self->request.SerializeWithCachedSizesToArray(room);
    return size;
}
