/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch at a time, tried until its answer stands or no time is left for another try. */
#include "export/otlp_delivery.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "export/http_client.h"
#include "export/otlp_call.h"
#include "export/otlp_message.h"
#include "export/otlp_verdict.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROUTING_BYTES = 16 << 10 };

#define BACK_OFF_FIRST_NS FTRI_NS_PER_S
#define BACK_OFF_CAP_NS (5 * FTRI_NS_PER_S)

/* Where the requests of one signal go, and how. */
struct route {
    struct ftri_otlp_settings settings;
    struct ftri_otlp_call call;
};

struct ftri_otlp_delivery {
    struct route traces;
    struct route metrics;
    bool has_metrics;
    bool may_retry; /* the last export of metrics */
    struct ftri_http_session *session;
    struct ftri_otlp_message message;
    struct ftri_bytes routing; /* the header of a batch of user spans */
    struct ftri_bytes answer;
    struct ftri_bytes unpacked;
};

/* Takes the settings over. */
static void init_route(struct route *self, struct ftri_otlp_settings *settings)
{
    self->settings = *settings;
    ftri_arena_init(&settings->arena, FTRI_OTLP_SETTINGS_BYTES);
    ftri_otlp_call_init(&self->call, &self->settings);
}

struct ftri_otlp_delivery *ftri_otlp_delivery_new(struct ftri_otlp_settings *settings)
{
    struct ftri_otlp_delivery *self = ftri_zalloc(sizeof *self);
    struct ftri_http_session *session = self ? ftri_http_session_new() : NULL;
    if (!session) {
        ftri_free(self);
        return NULL;
    }
    self->session = session;
    init_route(&self->traces, settings);
    ftri_otlp_message_init(&self->message);
    ftri_bytes_init(&self->routing, ROUTING_BYTES);
    ftri_bytes_init(&self->answer, FTRI_OTLP_ANSWER_BYTES);
    ftri_bytes_init(&self->unpacked, FTRI_OTLP_ANSWER_BYTES);
    return self;
}

void ftri_otlp_delivery_take_metrics(struct ftri_otlp_delivery *self,
                                     struct ftri_otlp_settings *settings)
{
    init_route(&self->metrics, settings);
    self->has_metrics = true;
}

static void delivery_close(void *instance)
{
    struct ftri_otlp_delivery *self = instance;
    ftri_http_session_free(self->session);
    ftri_otlp_message_deinit(&self->message);
    ftri_bytes_deinit(&self->routing);
    ftri_bytes_deinit(&self->answer);
    ftri_bytes_deinit(&self->unpacked);
    ftri_otlp_settings_deinit(&self->traces.settings);
    if (self->has_metrics)
        ftri_otlp_settings_deinit(&self->metrics.settings);
    ftri_free(self);
}

/* +-20 %, so that many clients of one server do not come back together. */
static uint64_t jitter(uint64_t delay_ns)
{
    return delay_ns / 10 * 8 + ftri_random_u64() % (delay_ns / 10 * 4);
}

static void sleep_until(uint64_t monotonic_ns)
{
    const struct timespec until = {(time_t)(monotonic_ns / FTRI_NS_PER_S),
                                   (long)(monotonic_ns % FTRI_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void try_once(struct ftri_otlp_delivery *self, struct route *route,
                     const struct ftri_otlp_body *body, uint64_t timeout_ns,
                     struct ftri_otlp_verdict *ret_verdict)
{
    struct ftri_http_request request;
    struct ftri_http_answer answer = {0};
    ftri_bytes_reset(&self->answer);
    ftri_otlp_call_begin(&route->call, body, timeout_ns, &request);
    const int r = ftri_http_session_call(self->session, &request, &self->answer, &answer);
    ftri_otlp_call_judge(&route->call, r, &answer, &self->unpacked, ret_verdict);
}

/* Tries until there is an answer that stands, or no time for another try. */
static void deliver(struct ftri_otlp_delivery *self, const struct ftri_otlp_body *body,
                    uint64_t deadline_ns, struct ftri_otlp_verdict *ret_verdict)
{
    uint64_t back_off_ns = BACK_OFF_FIRST_NS;
    uint64_t now_ns = ftri_time_monotonic_ns();
    *ret_verdict = (struct ftri_otlp_verdict){.kind = FTRI_OTLP_PASSING};
    while (now_ns < deadline_ns) {
        try_once(self, &self->traces, body, deadline_ns - now_ns, ret_verdict);
        if (ret_verdict->kind != FTRI_OTLP_PASSING)
            return;
        const uint64_t asked_ns = ret_verdict->answer.retry_delay_ns;
        now_ns = ftri_time_monotonic_ns() + (asked_ns ? asked_ns : jitter(back_off_ns));
        if (now_ns < deadline_ns)
            sleep_until(now_ns);
        back_off_ns = back_off_ns * 3 / 2 < BACK_OFF_CAP_NS ? back_off_ns * 3 / 2 : BACK_OFF_CAP_NS;
    }
}

/* "HTTP 503: full; no time is left for another try" */
static void say_why(const struct ftri_otlp_verdict *verdict, ftr_export_result *result)
{
    const char *text = verdict->answer.text;
    snprintf(result->text, sizeof result->text, "%s%s%.400s%s", verdict->reason,
             verdict->reason[0] && text[0] ? ": " : "", text,
             verdict->kind == FTRI_OTLP_PASSING ? "; no time is left for another try" : "");
}

static void settle(const struct ftri_otlp_verdict *verdict, size_t n_items,
                   ftr_export_result *ret_result)
{
    *ret_result = (ftr_export_result){.n_lost = n_items};
    if (verdict->kind == FTRI_OTLP_ACCEPTED) {
        const uint64_t n_rejected = verdict->answer.n_rejected;
        ret_result->n_lost = 0;
        ret_result->n_rejected = n_rejected < n_items ? (size_t)n_rejected : n_items;
        ret_result->n_delivered = n_items - ret_result->n_rejected;
    }
    say_why(verdict, ret_result);
}

/* The request's body; false: there is none, and the result says why. */
static bool write_body(struct ftri_otlp_delivery *self, const struct route *route,
                       struct ftri_view otlp, struct ftri_otlp_body *ret_body,
                       ftr_export_result *ret_result)
{
    const int r = ftri_otlp_message_write(&self->message, &route->settings, otlp, ret_body);
    if (r < 0)
        snprintf(ret_result->text, sizeof ret_result->text, "%s",
                 r == -EMSGSIZE ? "the batch is larger than 64 MiB" : "memory is short");
    return r == 0;
}

/* The earlier one of the caller's and the settings'. */
static uint64_t deadline_of(const struct route *route, uint64_t deadline_ns)
{
    const uint64_t own_ns = ftri_time_monotonic_ns() + route->settings.timeout_ms * FTRI_NS_PER_MS;
    return own_ns < deadline_ns ? own_ns : deadline_ns;
}

static ftr_str routing_of(const ftr_export_batch *batch)
{
    const bool has = batch->size >= offsetof(ftr_export_batch, routing) + sizeof batch->routing;
    return has ? batch->routing : (ftr_str){"", 0};
}

/* The batch's routing becomes a header; false: it cannot, and the result says why. */
static bool set_routing(struct ftri_otlp_delivery *self, const ftr_export_batch *batch,
                        ftr_export_result *ret_result)
{
    const char *name = self->traces.settings.routing_header;
    const ftr_str routing = routing_of(batch);
    if (!name)
        return true;
    if (routing.len == 0) {
        *ret_result = (ftr_export_result){.n_rejected = batch->n_spans,
                                          .text = "spans without a routing go nowhere"};
        return false;
    }
    ftri_bytes_reset(&self->routing);
    if (ftri_bytes_printf(&self->routing, "%s: %.*s", name, (int)routing.len, routing.data) < 0 ||
        ftri_bytes_append(&self->routing, "", 1) < 0) {
        snprintf(ret_result->text, sizeof ret_result->text, "memory is short");
        return false;
    }
    ftri_otlp_call_set_header(&self->traces.call, (const char *)self->routing.data);
    return true;
}

static void delivery_export(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                            ftr_export_result *ret_result)
{
    struct ftri_otlp_delivery *self = instance;
    struct ftri_otlp_body body;
    struct ftri_otlp_verdict verdict;
    *ret_result = (ftr_export_result){.n_lost = batch->n_spans};
    if (!set_routing(self, batch, ret_result) ||
        !write_body(self, &self->traces, ftri_view_of(batch->otlp, batch->otlp_len), &body,
                    ret_result))
        return;
    deliver(self, &body, deadline_of(&self->traces, deadline_ns), &verdict);
    settle(&verdict, batch->n_spans, ret_result);
}

/* One try: spans wait behind it, and the next export says all of this again. */
static void delivery_export_metrics(void *instance, const ftr_metrics_batch *batch,
                                    uint64_t deadline_ns, ftr_export_result *ret_result)
{
    struct ftri_otlp_delivery *self = instance;
    struct route *route = &self->metrics;
    struct ftri_otlp_body body;
    struct ftri_otlp_verdict verdict;
    self->may_retry = false;
    *ret_result = (ftr_export_result){.n_lost = batch->n_points};
    if (!self->has_metrics) {
        snprintf(ret_result->text, sizeof ret_result->text, "there is no endpoint for metrics");
        return;
    }
    if (!write_body(self, route, ftri_view_of(batch->otlp, batch->otlp_len), &body, ret_result))
        return;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    const uint64_t until_ns = deadline_of(route, deadline_ns);
    try_once(self, route, &body, until_ns > now_ns ? until_ns - now_ns : 1, &verdict);
    self->may_retry = verdict.kind == FTRI_OTLP_PASSING;
    settle(&verdict, batch->n_points, ret_result);
}

bool ftri_otlp_delivery_may_retry(const struct ftri_otlp_delivery *self)
{
    return self->may_retry;
}

static const ftr_exporter_class classes[] = {
    {
        .size = sizeof(ftr_exporter_class),
        .name = "otlp/http",
        .form = FTR_EXPORT_OTLP,
        .export_batch = delivery_export,
        .close = delivery_close,
        .export_metrics = delivery_export_metrics,
    },
    {
        .size = sizeof(ftr_exporter_class),
        .name = "otlp/grpc",
        .form = FTR_EXPORT_OTLP,
        .export_batch = delivery_export,
        .close = delivery_close,
        .export_metrics = delivery_export_metrics,
    },
};

const ftr_exporter_class *ftri_otlp_delivery_class(ftr_otlp_protocol protocol)
{
    return &classes[protocol == FTR_OTLP_GRPC];
}

const ftr_exporter_class *ftri_otlp_delivery_user_class(void)
{
    static const ftr_exporter_class user_class = {
        .size = sizeof user_class,
        .name = "otlp/user",
        .form = FTR_EXPORT_OTLP,
        .export_batch = delivery_export,
        .close = delivery_close,
    };
    return &user_class;
}
