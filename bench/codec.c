/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows 9 and 10: recorded spans to OTLP bytes, and OTLP bytes to checked and visited fields, beside
 * the codecs that protoc and protoc-c generate. CPU time of the one thread.
 *
 * "Visited and validated" is the check that makes views safe, against a parse that makes messages;
 * "read out" adds the reading of every field through the views, against the same on the messages.
 *
 * Before anything is timed, protobuf decodes what was encoded and compares it field by field with
 * what was recorded, and all readers have to arrive at the same sum over all fields.
 *
 * `bench-codec NAME` (check, read or encode) with a payload's name runs that alone many times, for
 * a profiler. */
#include "codec/wire.h"
#include "measure.h"
#include "otlp/encode.h"
#include "otlp/envelope.h"
#include "otlp/view.h"
#include "peer.h"
#include "replay.h"
#include "trace/encode.h"
#include "trace/record.h"

#include <flowtrace/flowtrace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 15, SPANS = 2048, REQUEST_SPANS = 512, REQUESTS = SPANS / REQUEST_SPANS };
enum { OUR_REPEATS = 8 }; /* we are faster: so that a run of ours lasts about as long as a peer's */
enum { PROFILED_RUNS = 100 };

struct subject {
    enum payload_kind kind;
    struct payload payload;
    struct ftri_bytes requests[REQUESTS]; /* of the payload */
    struct replay dynamic, sited;         /* recorded without and with call sites */
    struct ftri_view encoded[REQUESTS];   /* of a replay, in */
    struct ftri_bytes buffers[REQUESTS];
    struct ftri_bytes resource;
    uint8_t *scratch; /* while reading a record */
    struct peer_message *messages[REQUESTS];
    uint8_t *room; /* that the peers serialise into */
    size_t room_len;
    uint64_t sum; /* of the last reading with sums */
};

static void fail(const char *payload, const char *what)
{
    fprintf(stderr, "bench-codec: %s: %s\n", payload, what);
    exit(1);
}

/* --- our reading --------------------------------------------------------------------------- */

static uint64_t sum_str(ftr_str text)
{
    return peer_text_sum(text.data, text.len);
}

static uint64_t sum_any(struct ftri_view any)
{
    const ftr_value value = ftri_otlp_value_read(any);
    const bool is_map = value.type == FTR_VALUE_MAP;
    struct ftri_otlp_attribute element;
    struct ftri_view list;
    uint64_t sum = 0;
    size_t next = 0;
    switch (value.type) {
    case FTR_VALUE_EMPTY:
        return 0;
    case FTR_VALUE_BOOL:
        return value.as.boolean ? 2 : 0;
    case FTR_VALUE_I64:
        return 3 * (uint64_t)value.as.i64;
    case FTR_VALUE_F64:
        memcpy(&sum, &value.as.f64, sizeof sum);
        return 4 * sum;
    case FTR_VALUE_STR:
    case FTR_VALUE_BYTES:
        return (uint64_t)value.type * sum_str(value.as.str);
    case FTR_VALUE_ARRAY:
    case FTR_VALUE_MAP:
        list = ftri_otlp_value_list(any);
        while (ftri_otlp_element_next(list, is_map, &next, &element))
            sum += (is_map ? 2 : 1) * sum_any(element.value) + sum_str(element.key);
        return (uint64_t)value.type * sum;
    }
    return 0;
}

static uint64_t sum_attributes(enum ftri_otlp_owner owner, struct ftri_view message)
{
    struct ftri_otlp_attribute attribute;
    uint64_t sum = 0;
    size_t next = 0;
    while (ftri_otlp_attribute_next(owner, message, &next, &attribute))
        sum += sum_str(attribute.key) + 2 * sum_any(attribute.value);
    return sum;
}

static uint64_t sum_events_and_links(const struct ftri_otlp_span *span)
{
    const struct ftri_view events = ftri_otlp_stretch_view(span, span->events);
    const struct ftri_view links = ftri_otlp_stretch_view(span, span->links);
    struct ftri_otlp_event event;
    struct ftri_otlp_link link;
    uint64_t sum = 0;
    for (size_t next = 0; ftri_otlp_event_next(events, &next, &event);)
        sum += 11 * (event.time_ns + 2 * sum_str(event.name) +
                     3 * sum_attributes(FTRI_OTLP_EVENT, event.bytes));
    for (size_t next = 0; ftri_otlp_link_next(links, &next, &link);)
        sum +=
            13 * (peer_text_sum((const char *)link.trace_id, 16) +
                  2 * peer_text_sum((const char *)link.span_id, 8) + 3 * sum_str(link.tracestate) +
                  4 * sum_attributes(FTRI_OTLP_LINK, link.bytes) + 6 * (uint64_t)link.flags);
    return sum;
}

static uint64_t sum_span(const struct ftri_otlp_span *span)
{
    const char *parent = (const char *)span->parent_span_id;
    return peer_text_sum((const char *)span->trace_id, 16) +
           2 * peer_text_sum((const char *)span->span_id, 8) + 3 * sum_str(span->tracestate) +
           4 * peer_text_sum(parent, parent ? 8 : 0) + 5 * sum_str(span->name) +
           6 * (uint64_t)span->kind + 7 * span->start_time_ns + 8 * span->end_time_ns +
           9 * sum_attributes(FTRI_OTLP_SPAN, ftri_otlp_stretch_view(span, span->attributes)) +
           10 * (uint64_t)span->n_dropped_attributes + 12 * (uint64_t)span->n_dropped_events +
           14 * (uint64_t)span->n_dropped_links +
           15 * (2 * sum_str(span->status_message) + 3 * (uint64_t)span->status_code) +
           16 * (uint64_t)span->flags + sum_events_and_links(span);
}

/* Name 1 and version 2. */
static uint64_t sum_scope(struct ftri_view scope)
{
    struct ftri_wire_field field;
    uint64_t sum = 0;
    for (size_t next = 0; ftri_wire_next(scope, &next, &field) == FTRI_WIRE_FIELD;)
        sum += field.number <= 2 ? sum_str(ftri_view_str(field.bytes)) : 0;
    return sum;
}

static void check(const struct ftri_bytes *request)
{
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    if (ftri_otlp_traces_check(ftri_bytes_view(request), &counts, &error) < 0)
        fail(error.path, error.reason);
    if (counts.n_spans != REQUEST_SPANS)
        fail("check", "spans are missing");
}

static uint64_t sum_request(const struct ftri_bytes *request)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    const uint8_t *resource = NULL, *scope = NULL;
    uint64_t sum = 0;
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(request));
    while (ftri_otlp_cursor_next(&cursor, &span)) {
        if (span->resource.data != resource)
            sum += sum_attributes(FTRI_OTLP_RESOURCE, span->resource);
        if (span->scope.data != scope)
            sum += sum_scope(span->scope);
        resource = span->resource.data;
        scope = span->scope.data;
        sum += sum_span(span);
    }
    return sum;
}

/* --- runs: ns of CPU per span -------------------------------------------------------------- */

static double run_check(void *argument)
{
    const struct subject *self = argument;
    const double start = measure_thread_ns();
    for (size_t i = 0; i < REQUESTS * OUR_REPEATS; i++)
        check(&self->requests[i % REQUESTS]);
    return (measure_thread_ns() - start) / (SPANS * OUR_REPEATS);
}

static double run_read(void *argument)
{
    struct subject *self = argument;
    const double start = measure_thread_ns();
    for (size_t i = 0; i < REQUESTS * OUR_REPEATS; i++) {
        const struct ftri_bytes *request = &self->requests[i % REQUESTS];
        if (i % REQUESTS == 0)
            self->sum = 0;
        check(request);
        self->sum += sum_request(request);
    }
    return (measure_thread_ns() - start) / (SPANS * OUR_REPEATS);
}

typedef uint64_t peer_parse(const uint8_t *bytes, size_t len, bool with_sum);

static double run_peer(struct subject *self, peer_parse *parse, bool with_sum)
{
    const double start = measure_thread_ns();
    self->sum = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        self->sum += parse(self->requests[i].data, self->requests[i].len, with_sum);
    return (measure_thread_ns() - start) / SPANS;
}

static double run_cpp_arena(void *argument)
{
    return run_peer(argument, peer_cpp_arena, false);
}

static double run_cpp_heap(void *argument)
{
    return run_peer(argument, peer_cpp_heap, false);
}

static double run_c(void *argument)
{
    return run_peer(argument, peer_c, false);
}

static double run_cpp_arena_read(void *argument)
{
    return run_peer(argument, peer_cpp_arena, true);
}

static double run_cpp_heap_read(void *argument)
{
    return run_peer(argument, peer_cpp_heap, true);
}

static double run_c_read(void *argument)
{
    return run_peer(argument, peer_c, true);
}

/* As a sender does. */
static int encode_record(struct subject *self, const struct ftri_record *record,
                         struct ftri_bytes *out)
{
    const int rc = ftri_encode_record(record, out);
    if (rc != FTRI_ENCODE_NOT_SIMPLE)
        return rc;
    ftr_span_data span;
    ftri_record_read(record, self->scratch, &span);
    return ftri_otlp_encode_span(&span, out);
}

/* With the request around the spans. */
static void encode(struct subject *self, const struct replay *replay)
{
    const struct ftri_view resource = ftri_bytes_view(&self->resource);
    const size_t room = ftri_otlp_envelope_size(resource, FTR_STR("bench"), FTR_STR("1"), 1 << 24);
    const uint8_t *at = replay->records.data;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct ftri_bytes *out = &self->buffers[i];
        ftri_bytes_reset(out);
        payload_check(ftri_bytes_reserve(out, room), "room for a request");
        out->len = room;
        for (size_t j = 0; j < REQUEST_SPANS; j++) {
            const struct ftri_record *record = (const struct ftri_record *)(const void *)at;
            payload_check(encode_record(self, record, out), "encoding a span");
            at += record->size;
        }
        const uint8_t *first = ftri_otlp_envelope_write(resource, FTR_STR("bench"), FTR_STR("1"),
                                                        out->data + room, out->len - room);
        self->encoded[i] = ftri_view_of(first, (size_t)(out->data + out->len - first));
    }
}

static double time_encoding(struct subject *self, const struct replay *replay)
{
    const double start = measure_thread_ns();
    for (int i = 0; i < OUR_REPEATS; i++)
        encode(self, replay);
    return (measure_thread_ns() - start) / (SPANS * OUR_REPEATS);
}

static double run_encode(void *argument)
{
    struct subject *self = argument;
    return time_encoding(self, &self->dynamic);
}

static double run_encode_sited(void *argument)
{
    struct subject *self = argument;
    return time_encoding(self, &self->sited);
}

static double run_cpp_serialise(void *argument)
{
    const struct subject *self = argument;
    const double start = measure_thread_ns();
    for (size_t i = 0; i < REQUESTS * OUR_REPEATS; i++)
        if (peer_cpp_serialise(self->messages[i % REQUESTS], self->room, self->room_len) == 0)
            fail("protobuf", "the room for a request is too small");
    return (measure_thread_ns() - start) / (SPANS * OUR_REPEATS);
}

/* --- set-up, and what has to be equal ------------------------------------------------------ */

static void prepare_reading(struct subject *self)
{
    payload_init(&self->payload, self->kind, SPANS, 1);
    for (size_t i = 0; i < REQUESTS; i++) {
        const ftr_span_data *spans = self->payload.spans + i * REQUEST_SPANS;
        struct ftri_bytes *request = &self->requests[i];
        ftri_bytes_init(request, SIZE_MAX / 2);
        payload_encode(&self->payload, i * REQUEST_SPANS, REQUEST_SPANS, request);
        if (!peer_cpp_is_equal(request->data, request->len, spans, REQUEST_SPANS, true))
            fail(payload_names[self->kind], "protobuf decodes something else");
    }
}

static void check_sums(struct subject *self)
{
    run_read(self);
    const uint64_t ours = self->sum;
    run_cpp_arena_read(self);
    const uint64_t cpp = self->sum;
    run_c_read(self);
    if (ours != cpp || ours != self->sum)
        fail(payload_names[self->kind], "the sums over all fields differ");
}

static void check_encoding(struct subject *self, const struct replay *replay)
{
    encode(self, replay);
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct ftri_view *encoded = &self->encoded[i];
        const ftr_span_data *expected = replay->expected + i * REQUEST_SPANS;
        if (!peer_cpp_is_equal(encoded->data, encoded->len, expected, REQUEST_SPANS, false))
            fail(payload_names[self->kind], "protobuf decodes something else than was recorded");
    }
}

static void prepare_encoding(struct subject *self)
{
    replay_init(&self->dynamic, &self->payload, false);
    replay_init(&self->sited, &self->payload, true);
    payload_check(ftri_bytes_reserve(&self->dynamic.records, FTRI_ENCODE_BEHIND), "slack");
    payload_check(ftri_bytes_reserve(&self->sited.records, FTRI_ENCODE_BEHIND), "slack");
    ftri_bytes_init(&self->resource, SIZE_MAX / 2);
    payload_check(ftri_otlp_encode_resource(self->payload.resource, self->payload.n_resource,
                                            &self->resource),
                  "encoding a resource");
    self->scratch = malloc(ftri_record_scratch(self->dynamic.records.len));
    payload_check(self->scratch ? 0 : -1, "memory for reading records");
    for (size_t i = 0; i < REQUESTS; i++)
        ftri_bytes_init(&self->buffers[i], SIZE_MAX / 2);
    check_encoding(self, &self->sited);
    check_encoding(self, &self->dynamic);
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct ftri_view *encoded = &self->encoded[i];
        self->messages[i] = peer_cpp_message_new(encoded->data, encoded->len);
        if (encoded->len > self->room_len)
            self->room_len = encoded->len;
    }
    self->room = malloc(self->room_len);
    payload_check(self->room ? 0 : -1, "memory for serialising");
}

static double request_bytes(const struct ftri_bytes *requests)
{
    double sum = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        sum += (double)requests[i].len;
    return sum / SPANS;
}

/* --- rows ---------------------------------------------------------------------------------- */

/* A goal of "so many times as fast as the baseline"; 0: none. */
static void print_speedup(struct measure_row *row, struct measure_subject subject,
                          struct measure_subject baseline, double goal)
{
    char text[32];
    snprintf(text, sizeof text, ">= %g x", goal);
    row->unit = "ns";
    row->pairs = measure_as_speedup(measure_in_turn(subject, baseline, PAIRS));
    row->goal = goal > 0 ? text : NULL;
    row->verdict = goal <= 0                  ? MEASURE_NO_GOAL
                   : row->pairs.ratio >= goal ? MEASURE_HOLDS
                                              : MEASURE_FAILS;
    measure_print(row);
}

/* The same measurement in another unit and with a goal of its own; 0: none. */
static void print_limit(struct measure_row *row, double value, double limit, bool is_at_least)
{
    char text[32];
    snprintf(text, sizeof text, "%s %g %s", is_at_least ? ">=" : "<=", limit, row->unit);
    row->pairs = (struct measure_pairs){.value = value};
    row->peer = NULL;
    row->goal = limit > 0 ? text : NULL;
    row->verdict = limit <= 0                                        ? MEASURE_NO_GOAL
                   : (is_at_least ? value >= limit : value <= limit) ? MEASURE_HOLDS
                                                                     : MEASURE_FAILS;
    measure_print(row);
}

struct peer {
    const char *name;
    double (*parse)(void *argument);
    double (*read)(void *argument);
    double goal;
};

static const struct peer peers[] = {
    {"protobuf C++ arena", run_cpp_arena, run_cpp_arena_read, 8},
    {"protobuf C++ heap", run_cpp_heap, run_cpp_heap_read, 25},
    {"protobuf-c", run_c, run_c_read, 0},
};

static void measure_decoding(struct subject *self)
{
    const double bytes = request_bytes(self->requests);
    const double goal = self->kind == PAYLOAD_MIXED ? 2 : 3.5;
    char name[96];
    struct measure_row row = {.row = "10", .name = name};
    for (int is_reading = 0; is_reading < 2; is_reading++) {
        const struct measure_subject ours = {is_reading ? run_read : run_check, self};
        const char *what =
            is_reading ? "validated, then every field read out" : "visited and validated";
        double ns = 0;
        for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
            const struct measure_subject peer = {is_reading ? peers[i].read : peers[i].parse, self};
            row.peer = peers[i].name;
            snprintf(name, sizeof name, "%s (%.0f B) %s / %s", payload_names[self->kind], bytes,
                     what, row.peer);
            print_speedup(&row, ours, peer, is_reading ? 0 : peers[i].goal);
            ns = i ? ns : row.pairs.value;
        }
        snprintf(name, sizeof name, "%s (%.0f B) %s", payload_names[self->kind], bytes, what);
        row.unit = "GB/s";
        print_limit(&row, bytes / ns, is_reading ? 0 : goal, true);
    }
}

static void measure_encoding(struct subject *self)
{
    const struct measure_subject dynamic = {run_encode, self};
    const struct measure_subject sited = {run_encode_sited, self};
    const struct measure_subject peer = {run_cpp_serialise, self};
    char name[96];
    struct measure_row row = {.row = "9", .name = name, .peer = "protobuf C++"};
    double bytes = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        bytes += (double)self->encoded[i].len / SPANS;
    snprintf(name, sizeof name, "record to OTLP, dynamic, %s (%.0f B) / protobuf C++",
             payload_names[self->kind], bytes);
    print_speedup(&row, dynamic, peer, 15);
    const double ns = row.pairs.value;
    if (self->kind == PAYLOAD_MIXED)
        return;
    snprintf(name, sizeof name, "record to OTLP, of call sites, %s / protobuf C++",
             payload_names[self->kind]);
    print_speedup(&row, sited, peer, 15);
    if (self->kind != PAYLOAD_SMALL)
        return;
    const double sited_ns = row.pairs.value;
    snprintf(name, sizeof name, "record to OTLP, of call sites, small");
    print_limit(&row, sited_ns, 8, false);
    snprintf(name, sizeof name, "record to OTLP, dynamic, small");
    print_limit(&row, ns, 25, false);
}

static void profile(struct subject *self, const char *name)
{
    double (*run)(void *argument) = strcmp(name, "encode") == 0         ? run_encode
                                    : strcmp(name, "encode-sited") == 0 ? run_encode_sited
                                    : strcmp(name, "check") == 0        ? run_check
                                                                        : run_read;
    double best = run(self);
    for (int i = 0; i < PROFILED_RUNS; i++) {
        const double ns = run(self);
        best = ns < best ? ns : best;
    }
    printf("%s %s: %.1f ns a span at best\n", name, payload_names[self->kind], best);
}

static void start_library(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.journal_bytes = (size_t)64 << 20;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK)
        fail("starting", error.text);
}

int main(int argc, char **argv)
{
    static struct subject subjects[N_PAYLOADS];
    start_library();
    for (enum payload_kind kind = 0; kind < N_PAYLOADS; kind++) {
        struct subject *subject = &subjects[kind];
        if (argc > 2 && strcmp(argv[2], payload_names[kind]) != 0)
            continue;
        subject->kind = kind;
        prepare_reading(subject);
        check_sums(subject);
        prepare_encoding(subject);
        if (argc > 2) {
            profile(subject, argv[1]);
            continue;
        }
        measure_encoding(subject);
        measure_decoding(subject);
    }
    return ftr_shutdown(UINT64_C(5000000000)) == FTR_OK ? 0 : 1;
}
