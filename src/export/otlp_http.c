/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP/HTTP with binary protobuf (OTLP specification 1.x, "OTLP/HTTP"). A TracesData has the same
 * bytes as an ExportTraceServiceRequest: both are field 1, repeated ResourceSpans. */
#include "export/otlp_http.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "codec/gzip.h"
#include "export/http_client.h"
#include "otlp/response.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <time.h>

enum {
    REQUEST_BYTES = 64 << 20, /* more must not be sent */
    ANSWER_BYTES = 4 << 20,   /* more is refused */
    GZIP_LEVEL = 6,
    N_FIXED_HEADERS = 3
};
#define BACK_OFF_FIRST_NS FTRI_NS_PER_S
#define BACK_OFF_CAP_NS (5 * FTRI_NS_PER_S)

struct ftri_otlp_http {
    struct ftri_otlp_settings settings;
    struct ftri_http_session *session;
    struct ftri_bytes compressed;
    struct ftri_bytes answer;
    const char *headers[FTRI_OTLP_MAX_HEADERS + N_FIXED_HEADERS + 1];
};

/* The user's come last, but what frames the message is ours. */
static void collect_headers(struct ftri_otlp_http *self)
{
    size_t n = 0;
    self->headers[n++] = "Content-Type: application/x-protobuf";
    self->headers[n++] = "User-Agent: OTel-OTLP-Exporter-Flowtrace/" FTR_VERSION;
    if (self->settings.use_gzip)
        self->headers[n++] = "Content-Encoding: gzip";
    for (size_t i = 0; i < self->settings.n_headers; i++)
        self->headers[n++] = self->settings.headers[i];
    self->headers[n] = NULL;
}

struct ftri_otlp_http *ftri_otlp_http_new(struct ftri_otlp_settings *settings)
{
    struct ftri_otlp_http *self = ftri_zalloc(sizeof *self);
    struct ftri_http_session *session = self ? ftri_http_session_new() : NULL;
    if (!session) {
        ftri_free(self);
        return NULL;
    }
    self->session = session;
    self->settings = *settings;
    ftri_arena_init(&settings->arena, FTRI_OTLP_SETTINGS_BYTES);
    ftri_bytes_init(&self->compressed, REQUEST_BYTES);
    ftri_bytes_init(&self->answer, ANSWER_BYTES);
    collect_headers(self);
    return self;
}

static void otlp_http_close(void *instance)
{
    struct ftri_otlp_http *self = instance;
    ftri_http_session_free(self->session);
    ftri_bytes_deinit(&self->compressed);
    ftri_bytes_deinit(&self->answer);
    ftri_otlp_settings_deinit(&self->settings);
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

/* No answer at all: worth another try unless another try must end the same way. */
static bool is_passing(int result)
{
    return result != -EMSGSIZE && result != -EINVAL && result != -ENOMEM;
}

static bool is_retryable(int result, const struct ftri_http_answer *answer)
{
    if (result < 0)
        return is_passing(result);
    return answer->status == 429 || (answer->status >= 502 && answer->status <= 504);
}

/* Calls until there is an answer that stands, or no time for another call. */
static int call(struct ftri_otlp_http *self, struct ftri_view body, uint64_t deadline_ns,
                struct ftri_http_answer *ret_answer)
{
    uint64_t back_off_ns = BACK_OFF_FIRST_NS;
    for (;;) {
        const uint64_t now_ns = ftri_time_monotonic_ns();
        if (now_ns >= deadline_ns)
            return -ETIMEDOUT;
        const struct ftri_http_request request = {
            .method = "POST",
            .url = self->settings.url,
            .headers = self->headers,
            .body = body,
            .timeout_ns = deadline_ns - now_ns,
            .unix_socket = self->settings.unix_socket,
            .ca_file = self->settings.ca_file,
            .client_certificate = self->settings.client_certificate,
            .client_key = self->settings.client_key,
        };
        ftri_bytes_reset(&self->answer);
        const int r = ftri_http_session_call(self->session, &request, &self->answer, ret_answer);
        if (!is_retryable(r, ret_answer))
            return r;
        const uint64_t delay_ns =
            ret_answer->retry_after_ns ? ret_answer->retry_after_ns : jitter(back_off_ns);
        const uint64_t next_ns = ftri_time_monotonic_ns() + delay_ns;
        if (next_ns >= deadline_ns)
            return -ETIMEDOUT;
        sleep_until(next_ns);
        back_off_ns = back_off_ns * 3 / 2 < BACK_OFF_CAP_NS ? back_off_ns * 3 / 2 : BACK_OFF_CAP_NS;
    }
}

/* An answer that cannot be read rejects nothing: its status said success. */
static void settle(const struct ftri_http_answer *answer, size_t n_spans,
                   ftr_export_result *ret_result)
{
    struct ftri_otlp_partial_success partial = {0};
    uint64_t n_rejected = 0;
    if (ftri_otlp_response_read(answer->body, &partial) == 0)
        n_rejected = partial.n_rejected;
    const size_t n = n_rejected < n_spans ? (size_t)n_rejected : n_spans;
    *ret_result = (ftr_export_result){.n_delivered = n_spans - n, .n_rejected = n};
}

static int encode(struct ftri_otlp_http *self, const ftr_export_batch *batch,
                  struct ftri_view *ret_body)
{
    *ret_body = ftri_view_of(batch->otlp, batch->otlp_len);
    if (batch->otlp_len > REQUEST_BYTES)
        return -EMSGSIZE;
    if (!self->settings.use_gzip)
        return 0;
    ftri_bytes_reset(&self->compressed);
    const int r = ftri_gzip(*ret_body, GZIP_LEVEL, &self->compressed);
    *ret_body = ftri_bytes_view(&self->compressed);
    return r;
}

static void otlp_http_export(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                             ftr_export_result *ret_result)
{
    struct ftri_otlp_http *self = instance;
    *ret_result = (ftr_export_result){.n_lost = batch->n_spans};
    struct ftri_view body;
    if (encode(self, batch, &body) < 0)
        return;
    const uint64_t own_deadline_ns =
        ftri_time_monotonic_ns() + self->settings.timeout_ms * FTRI_NS_PER_MS;
    struct ftri_http_answer answer = {0};
    const int r =
        call(self, body, own_deadline_ns < deadline_ns ? own_deadline_ns : deadline_ns, &answer);
    if (r == 0 && answer.status >= 200 && answer.status < 300)
        settle(&answer, batch->n_spans, ret_result);
}

const ftr_exporter_class ftri_otlp_http_class = {
    .size = sizeof(ftr_exporter_class),
    .name = "otlp/http",
    .form = FTR_EXPORT_OTLP,
    .export_batch = otlp_http_export,
    .close = otlp_http_close,
};
