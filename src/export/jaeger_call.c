/* SPDX-License-Identifier: Apache-2.0
 *
 *   SamplingStrategyParameters   1 serviceName (string) */
#include "export/jaeger_call.h"

#include "base/error.h"
#include "codec/wire.h"
#include "export/http_client.h"

#include <errno.h>

#define PATH "/jaeger.api_v2.SamplingManager/GetSamplingStrategy"
#define TIMEOUT_NS UINT64_C(10000000000)

enum { URL_BYTES = 1024, REQUEST_BYTES = 64 << 10 };

static void fill_headers(struct ftri_jaeger_call *self)
{
    size_t n = 0;
    self->headers[n++] = "Content-Type: application/grpc";
    self->headers[n++] = "User-Agent: Flowtrace/" FTR_VERSION;
    self->headers[n++] = "TE: trailers";
    self->headers[n++] = "grpc-accept-encoding: identity,gzip";
    self->headers[n++] = self->timeout;
    self->headers[n] = NULL;
    ftri_grpc_format_timeout(TIMEOUT_NS, self->timeout, sizeof self->timeout);
}

int ftri_jaeger_call_init(struct ftri_jaeger_call *self, const char *endpoint, ftr_str service)
{
    *self = (struct ftri_jaeger_call){.session = NULL};
    ftri_bytes_init(&self->url, URL_BYTES);
    ftri_bytes_init(&self->request, REQUEST_BYTES);
    ftri_bytes_init(&self->answer, FTRI_JAEGER_ANSWER_BYTES);
    ftri_bytes_init(&self->unpacked, FTRI_JAEGER_ANSWER_BYTES);
    fill_headers(self);
    int r = ftri_bytes_printf(&self->url, "%s" PATH, endpoint);
    if (r == 0)
        r = ftri_bytes_append(&self->url, "", 1);
    if (r == 0)
        r = ftri_wire_put_bytes(&self->request, 1, ftri_view_of(service.data, service.len));
    if (r == 0)
        self->session = ftri_http_session_new();
    if (r == 0 && self->session)
        return 0;
    ftri_jaeger_call_deinit(self);
    return r < 0 ? r : -ENOMEM;
}

void ftri_jaeger_call_deinit(struct ftri_jaeger_call *self)
{
    ftri_http_session_free(self->session);
    ftri_bytes_deinit(&self->url);
    ftri_bytes_deinit(&self->request);
    ftri_bytes_deinit(&self->answer);
    ftri_bytes_deinit(&self->unpacked);
}

void ftri_jaeger_call_cancel(struct ftri_jaeger_call *self)
{
    ftri_http_session_cancel(self->session);
}

static int too_large(struct ftri_error *error)
{
    return ftri_error_set(error, -EMSGSIZE, "the answer is larger than 4 MiB");
}

static int refuse(const struct ftri_jaeger_call *self, const struct ftri_http_answer *answer,
                  int status, struct ftri_error *error)
{
    if (!ftri_grpc_is_answer(&self->head, answer))
        return ftri_error_set(error, -EPROTO, "HTTP %d, and no gRPC answer", answer->status);
    if (status == FTRI_GRPC_CUT_OFF)
        return ftri_error_set(error, -EPROTO, "the answer ended before its gRPC status");
    return ftri_error_set(error, -EPROTO, "gRPC %s%s%.*s", ftri_grpc_status_name(status),
                          self->head.text_len ? ": " : "",
                          (int)ftri_size_min(self->head.text_len, 200), self->head.text);
}

static int judge(struct ftri_jaeger_call *self, const struct ftri_http_answer *answer,
                 struct ftri_view *ret_message, struct ftri_error *error)
{
    const int status = ftri_grpc_status(&self->head, answer);
    if (status != FTRI_GRPC_OK)
        return refuse(self, answer, status, error);
    const int r = ftri_grpc_message(&self->head, answer, &self->unpacked, ret_message);
    if (r == -EMSGSIZE)
        return too_large(error);
    if (r < 0)
        return ftri_error_set(error, r, "the answer has no gRPC message that can be read");
    return 0;
}

int ftri_jaeger_call_run(struct ftri_jaeger_call *self, struct ftri_view *ret_message,
                         struct ftri_error *error)
{
    struct ftri_http_answer answer = {0};
    const struct ftri_http_request request = {
        .method = "POST",
        .url = (const char *)self->url.data,
        .headers = self->headers,
        .body = ftri_bytes_view(&self->request),
        .body_head = ftri_view_of(self->prefix, sizeof self->prefix),
        .timeout_ns = TIMEOUT_NS,
        .is_http2 = true,
        .on_header = ftri_grpc_head_take,
        .header_argument = &self->head,
    };
    ftri_grpc_head_init(&self->head);
    ftri_grpc_write_prefix(self->prefix, false, self->request.len);
    ftri_bytes_reset(&self->answer);
    const int r = ftri_http_session_call(self->session, &request, &self->answer, &answer);
    if (r == -ECANCELED)
        return r;
    if (r == -EMSGSIZE)
        return too_large(error);
    if (r < 0)
        return ftri_error_set(error, r, "%s", answer.error);
    return judge(self, &answer, ret_message, error);
}
