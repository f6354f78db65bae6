/* SPDX-License-Identifier: Apache-2.0 */
#include "payload.h"

#include "otlp/encode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTRIBUTES_MAX = 40,
    EVENTS_MAX = 4,
    LINKS_MAX = 3,
    NESTED_MAX = 4,
    LONG_TEXT = 400,
    TEXT_MAX = 512
};

#define FIRST_START_NS UINT64_C(1760000000000000000)

const char *const payload_names[N_PAYLOADS] = {"small", "web", "mixed"};

struct generator {
    struct payload *payload;
    uint64_t state;
    uint64_t now_ns;
};

void payload_check(int r, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "benchmark: %s: %s\n", what, r < 0 ? strerror(-r) : "not now");
    exit(1);
}

/* splitmix64 (public domain). */
static uint64_t draw(struct generator *self)
{
    uint64_t z = self->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(struct generator *self, size_t n)
{
    return (size_t)(draw(self) % n);
}

/* Each power of two up to 2^bits is as likely as the other. */
static uint64_t draw_log(struct generator *self, unsigned bits)
{
    const uint64_t top = UINT64_C(1) << below(self, bits);
    return top | (draw(self) & (top - 1));
}

static void *take(struct generator *self, size_t size)
{
    void *room = ftri_arena_alloc(&self->payload->arena, size ? size : 1);
    payload_check(room ? 0 : -1, "memory for the payload");
    return room;
}

static ftr_str text(struct generator *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static ftr_str text(struct generator *self, const char *format, ...)
{
    char buffer[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    const ftr_str copy = ftri_arena_copy(&self->payload->arena, (ftr_str){buffer, (size_t)len});
    payload_check(copy.data ? 0 : -1, "memory for the payload");
    return copy;
}

#define PICK(self, list) ((list)[below(self, sizeof(list) / sizeof *(list))])

static void put(ftr_span_data *span, ftr_attribute *attributes, const char *key, ftr_value value)
{
    attributes[span->n_attributes++] = (ftr_attribute){ftr_str_from(key), value};
}

static ftr_value one_of(const char *choice)
{
    return ftr_value_str(ftr_str_from(choice));
}

/* --- small --------------------------------------------------------------------------------- */

static void fill_small(struct generator *self, ftr_span_data *span)
{
    static const char *const nodes[] = {"receiver/orders", "decode",      "filter/known",
                                        "enrich/customer", "window/10s",  "route/by-region",
                                        "sink/warehouse",  "sink/archive"};
    static const char *const ports[] = {"out", "late", "errors"};
    ftr_attribute *attributes = take(self, 4 * sizeof *attributes);
    const char *node = PICK(self, nodes);
    span->name = text(self, "visit %s", node);
    span->kind = FTR_KIND_INTERNAL;
    put(span, attributes, "flow.node", one_of(node));
    put(span, attributes, "flow.port", one_of(PICK(self, ports)));
    put(span, attributes, "flow.batch.items", ftr_value_i64((int64_t)below(self, 512)));
    put(span, attributes, "flow.outcome", one_of(below(self, 100) ? "success" : "dropped"));
    span->attributes = attributes;
}

/* --- web ----------------------------------------------------------------------------------- */

static void put_request(struct generator *self, ftr_span_data *span, ftr_attribute *attributes)
{
    static const char *const methods[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
    static const char *const routes[] = {"/api/v2/orders/{id}",       "/api/v2/orders",
                                         "/api/v2/customers/{id}",    "/api/v2/baskets/{id}/items",
                                         "/api/v2/products/{id}",     "/api/v2/search",
                                         "/api/v2/payments/{id}/try", "/api/v2/health"};
    static const int codes[] = {200, 200, 200, 200, 201, 204, 304, 404, 500};
    const char *method = PICK(self, methods);
    const char *route = PICK(self, routes);
    const int code = PICK(self, codes);
    span->name = text(self, "%s %s", method, route);
    span->kind = FTR_KIND_SERVER;
    span->status = code >= 500 ? FTR_SPAN_ERROR : FTR_SPAN_UNSET;
    put(span, attributes, "http.request.method", one_of(method));
    put(span, attributes, "http.route", one_of(route));
    put(span, attributes, "http.response.status_code", ftr_value_i64(code));
    put(span, attributes, "url.path",
        ftr_value_str(text(self, "%.16s/%08x", route, (unsigned)draw(self))));
    put(span, attributes, "url.query",
        ftr_value_str(text(self, "page=%zu&limit=50", below(self, 40))));
}

static void fill_web(struct generator *self, ftr_span_data *span)
{
    static const char *const agents[] = {
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
        "okhttp/4.12.0", "curl/8.5.0"};
    ftr_attribute *attributes = take(self, 16 * sizeof *attributes);
    put_request(self, span, attributes);
    put(span, attributes, "url.scheme", one_of("https"));
    put(span, attributes, "server.address", one_of("shop.example.com"));
    put(span, attributes, "server.port", ftr_value_i64(443));
    put(span, attributes, "client.address",
        ftr_value_str(
            text(self, "10.%zu.%zu.%zu", below(self, 4), below(self, 256), below(self, 256))));
    put(span, attributes, "user_agent.original", one_of(PICK(self, agents)));
    put(span, attributes, "http.request.body.size", ftr_value_i64((int64_t)draw_log(self, 14)));
    put(span, attributes, "http.response.body.size", ftr_value_i64((int64_t)draw_log(self, 20)));
    put(span, attributes, "network.protocol.version", one_of("1.1"));
    put(span, attributes, "enduser.id", ftr_value_str(text(self, "user-%05zu", below(self, 5000))));
    put(span, attributes, "session.id",
        ftr_value_str(text(self, "%016llx", (unsigned long long)draw(self))));
    put(span, attributes, "thread.name", ftr_value_str(text(self, "worker-%zu", below(self, 8))));
    span->attributes = attributes;
}

/* --- mixed --------------------------------------------------------------------------------- */

static const char *const keys[] = {
    "peer.service",
    "db.system",
    "db.statement",
    "messaging.system",
    "rpc.method",
    "rpc.service",
    "retry",
    "cache.hit",
    "queue.depth",
    "batch.size",
    "tenant",
    "region",
    "größe",
    "顧客.番号",
    "ключ",
    "build.sha",
    "feature.flags",
    "k",
    "latency.budget",
    "compression",
    "partition",
    "offset",
    "consumer.group",
    "schema.version",
    "error.type",
    "exception.kind",
    "code.function",
    "code.lineno",
    "thread.id",
    "process.pid",
    "host.name",
    "container.id",
    "k8s.pod.name",
    "k8s.namespace",
    "cloud.zone",
    "deployment",
    "sampling.weight",
    "priority",
    "deadline_ms",
    "payload.checksum",
    "a.rather.long.attribute.key.that.some.project.once.thought.to.be.a.good.idea"};
enum { N_KEYS = sizeof keys / sizeof *keys };

static ftr_str some_text(struct generator *self)
{
    static const char *const words[] = {
        "checkout", "größer als vorher", "データの流れ", "поток", "ok", "", "café ☕", "🙂🙃"};
    char *fill;
    switch (below(self, 8)) {
    case 0:
        fill = take(self, LONG_TEXT);
        memset(fill, 'a' + (int)below(self, 26), LONG_TEXT);
        return (ftr_str){fill, below(self, LONG_TEXT)};
    case 1:
        return text(self, "%s %s %s", PICK(self, words), PICK(self, words), PICK(self, words));
    case 2:
        return text(self, "%016llx", (unsigned long long)draw(self));
    case 3:
        return text(self, "SELECT id, name FROM orders WHERE id = %zu", below(self, 100000));
    default:
        return ftr_str_from(PICK(self, words));
    }
}

static ftr_value some_value(struct generator *self, int depth);

static ftr_attribute *some_attributes(struct generator *self, size_t n, int depth)
{
    ftr_attribute *attributes = take(self, n * sizeof *attributes);
    const size_t first = below(self, N_KEYS);
    for (size_t i = 0; i < n; i++) /* 7 and 41 have no common divisor: all keys differ */
        attributes[i] =
            (ftr_attribute){ftr_str_from(keys[(first + 7 * i) % N_KEYS]), some_value(self, depth)};
    return attributes;
}

static ftr_value some_list(struct generator *self, int depth)
{
    const size_t n = below(self, NESTED_MAX + 1);
    if (below(self, 2))
        return ftr_value_map(some_attributes(self, n, depth + 1), n);
    ftr_value *items = take(self, n * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = some_value(self, depth + 1);
    return ftr_value_array(items, n);
}

static ftr_value some_value(struct generator *self, int depth)
{
    switch (below(self, depth < 2 ? 12 : 10)) {
    case 0:
        return ftr_value_bool(below(self, 2) != 0);
    case 1:
        return ftr_value_i64((int64_t)draw_log(self, 62));
    case 2:
        return ftr_value_i64(-(int64_t)below(self, 1000));
    case 3:
        return ftr_value_i64((int64_t)below(self, 100));
    case 4:
        return ftr_value_f64((double)below(self, 1000000) / 1000);
    case 5:
        return ftr_value_bytes(text(self, "%016llx", (unsigned long long)draw(self)).data, 16);
    case 10:
    case 11:
        return some_list(self, depth);
    default:
        return ftr_value_str(some_text(self));
    }
}

static void draw_ids(struct generator *self, void *ret_bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        const uint64_t id = draw(self) | 1;
        memcpy((uint8_t *)ret_bytes + i, &id, 8);
    }
}

static void add_events(struct generator *self, ftr_span_data *span)
{
    static const char *const names[] = {"exception", "retry", "ausgewählt", "message.sent"};
    span->n_events = below(self, EVENTS_MAX + 1);
    ftr_event_data *events = take(self, span->n_events * sizeof *events);
    for (size_t i = 0; i < span->n_events; i++) {
        const size_t n = below(self, 4);
        events[i] = (ftr_event_data){.time_ns = span->start_time_ns + i,
                                     .name = ftr_str_from(PICK(self, names)),
                                     .attributes = some_attributes(self, n, 1),
                                     .n_attributes = n};
    }
    span->events = events;
}

static void add_links(struct generator *self, ftr_span_data *span)
{
    span->n_links = below(self, LINKS_MAX + 1);
    ftr_link_data *links = take(self, span->n_links * sizeof *links);
    for (size_t i = 0; i < span->n_links; i++) {
        const size_t n = below(self, 3);
        links[i] = (ftr_link_data){.context = {.trace_flags = 1},
                                   .attributes = some_attributes(self, n, 1),
                                   .n_attributes = n};
        draw_ids(self, links[i].context.trace_id.bytes, 16);
        draw_ids(self, links[i].context.span_id.bytes, 8);
    }
    span->links = links;
}

static void fill_mixed(struct generator *self, ftr_span_data *span)
{
    span->name = text(self, "%s %s", PICK(self, keys), PICK(self, keys));
    span->kind = (ftr_span_kind)(1 + below(self, 5));
    span->status = (ftr_span_status)below(self, 3);
    if (span->status == FTR_SPAN_ERROR)
        span->status_description = some_text(self);
    span->n_attributes = below(self, ATTRIBUTES_MAX + 1);
    span->attributes = some_attributes(self, span->n_attributes, 0);
    if (below(self, 3) == 0)
        add_events(self, span);
    if (below(self, 3) == 0)
        add_links(self, span);
}

/* --- all ----------------------------------------------------------------------------------- */

static void fill_trace(struct generator *self, enum payload_kind kind, ftr_span_data *spans)
{
    static void (*const fill[N_PAYLOADS])(struct generator *,
                                          ftr_span_data *) = {fill_small, fill_web, fill_mixed};
    ftr_span_context context = {.trace_flags = 1};
    draw_ids(self, context.trace_id.bytes, 16);
    uint64_t start_ns = self->now_ns += draw_log(self, 20);
    for (size_t i = 0; i < PAYLOAD_TRACE_SPANS; i++) {
        ftr_span_data *span = &spans[i];
        draw_ids(self, context.span_id.bytes, 8);
        start_ns += i ? draw_log(self, 16) : 0;
        *span = (ftr_span_data){.size = sizeof *span,
                                .context = context,
                                .tracestate = {"", 0},
                                .start_time_ns = start_ns,
                                .end_time_ns = start_ns + draw_log(self, 24),
                                .status_description = {"", 0}};
        if (i)
            span->parent_span_id = spans[below(self, i)].context.span_id;
        fill[kind](self, span);
    }
}

void payload_init(struct payload *self, enum payload_kind kind, size_t n_spans, uint64_t seed)
{
    static const ftr_attribute resource[] = {
        {{"service.name", 12}, {FTR_VALUE_STR, .as.str = {"bench", 5}}},
        {{"service.version", 15}, {FTR_VALUE_STR, .as.str = {"1.4.2", 5}}},
        {{"host.name", 9}, {FTR_VALUE_STR, .as.str = {"node-17", 7}}}};
    *self = (struct payload){
        .n_spans = n_spans, .resource = resource, .n_resource = sizeof resource / sizeof *resource};
    ftri_arena_init(&self->arena, (size_t)2 << 30);
    struct generator generator = {self, seed, FIRST_START_NS + seed * UINT64_C(1000000000)};
    self->spans = take(&generator, n_spans * sizeof *self->spans);
    for (size_t i = 0; i < n_spans; i += PAYLOAD_TRACE_SPANS)
        fill_trace(&generator, kind, self->spans + i);
}

void payload_deinit(struct payload *self)
{
    ftri_arena_deinit(&self->arena);
}

void payload_encode(const struct payload *self, size_t first, size_t n, struct ftri_bytes *out)
{
    struct ftri_bytes spans, resource;
    ftri_bytes_init(&spans, SIZE_MAX / 2);
    ftri_bytes_init(&resource, SIZE_MAX / 2);
    payload_check(ftri_otlp_encode_resource(self->resource, self->n_resource, &resource),
                  "encoding a resource");
    for (size_t i = first; i < first + n; i++)
        payload_check(ftri_otlp_encode_span(&self->spans[i], &spans), "encoding a span");
    payload_check(ftri_otlp_encode_traces(ftri_bytes_view(&resource), FTR_STR("bench"),
                                          FTR_STR("1"), ftri_bytes_view(&spans), out),
                  "encoding a request");
    ftri_bytes_deinit(&spans);
    ftri_bytes_deinit(&resource);
}
