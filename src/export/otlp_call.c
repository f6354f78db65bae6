/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_call.h"

#include "export/http_client.h"
#include "export/otlp_grpc.h"
#include "export/otlp_http.h"
#include "export/otlp_message.h"
#include "export/otlp_verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_grpc(const struct ftri_otlp_settings *settings)
{
    return settings->protocol == FTR_OTLP_GRPC;
}

static void collect_headers(struct ftri_otlp_call *self)
{
    static const char *const types[] = {
        [FTR_OTLP_HTTP_PROTOBUF] = "Content-Type: application/x-protobuf",
        [FTR_OTLP_HTTP_JSON] = "Content-Type: application/json",
        [FTR_OTLP_GRPC] = "Content-Type: application/grpc",
    };
    static const char *const encodings[][2] = {
        [FTR_OTLP_PLAIN] = {NULL, NULL},
        [FTR_OTLP_GZIP] = {"Content-Encoding: gzip", "grpc-encoding: gzip"},
        [FTR_OTLP_ZSTD] = {"Content-Encoding: zstd", "grpc-encoding: zstd"},
    };
    size_t n = 0;
    self->headers[n++] = types[self->settings->protocol];
    self->headers[n++] = "User-Agent: OTel-OTLP-Exporter-Flowtrace/" FTR_VERSION;
    const char *encoding = encodings[self->settings->compression][is_grpc(self->settings)];
    if (encoding)
        self->headers[n++] = encoding;
    if (is_grpc(self->settings)) {
        self->headers[n++] = "TE: trailers";
        self->headers[n++] = "grpc-accept-encoding: identity,gzip";
        self->headers[n++] = self->timeout;
    }
    for (size_t i = 0; i < self->settings->n_headers; i++)
        self->headers[n++] = self->settings->headers[i];
    self->headers[n] = NULL;
    self->n_headers = n;
}

void ftri_otlp_call_init(struct ftri_otlp_call *self, const struct ftri_otlp_settings *settings)
{
    self->settings = settings;
    collect_headers(self);
}

void ftri_otlp_call_set_header(struct ftri_otlp_call *self, const char *line)
{
    self->headers[self->n_headers] = line;
    self->headers[self->n_headers + 1] = NULL;
}

void ftri_otlp_call_begin(struct ftri_otlp_call *self, const struct ftri_otlp_body *body,
                          uint64_t timeout_ns, struct ftri_http_request *ret_request)
{
    const struct ftri_otlp_settings *settings = self->settings;
    ftri_grpc_head_init(&self->head);
    ftri_grpc_format_timeout(timeout_ns, self->timeout, sizeof self->timeout);
    *ret_request = (struct ftri_http_request){
        .method = "POST",
        .url = settings->url,
        .headers = self->headers,
        .body = body->rest,
        .body_head = body->head,
        .timeout_ns = timeout_ns,
        .is_http2 = is_grpc(settings),
        .takes_gzip = !is_grpc(settings),
        .on_header = is_grpc(settings) ? ftri_grpc_head_take : NULL,
        .header_argument = &self->head,
        .unix_socket = settings->unix_socket,
        .ca_file = settings->files[FTRI_OTLP_CERTIFICATE].path,
        .client_certificate = settings->files[FTRI_OTLP_CLIENT_CERTIFICATE].path,
        .client_key = settings->files[FTRI_OTLP_CLIENT_KEY].path,
    };
}

/* Another try of what did not work must end the same way. */
static bool is_final(int result)
{
    return result == -EMSGSIZE || result == -EINVAL || result == -ENOMEM || result == -EACCES ||
           result == -EPROTO || result == -ECANCELED;
}

/* The file to blame, which libcurl's text may name without the setting it came from. */
static const struct ftri_otlp_file *find_file(const struct ftri_otlp_settings *settings, int result,
                                              const char *text)
{
    const struct ftri_otlp_file *files = settings->files;
    if (result == -EACCES && files[FTRI_OTLP_CERTIFICATE].path)
        return &files[FTRI_OTLP_CERTIFICATE];
    for (size_t i = 0; i < FTRI_OTLP_N_FILES && result == -EINVAL; i++)
        if (files[i].path && strstr(text, files[i].path))
            return &files[i];
    return NULL;
}

/* There was no answer, or none that may be read. */
static void judge_failure(const struct ftri_otlp_settings *settings, int result, const char *text,
                          struct ftri_otlp_verdict *ret_verdict)
{
    *ret_verdict = (struct ftri_otlp_verdict){.kind = is_final(result) ? FTRI_OTLP_REFUSED
                                                                       : FTRI_OTLP_PASSING};
    if (result == -EMSGSIZE)
        text = "the answer is larger than 4 MiB";
    const struct ftri_otlp_file *file = find_file(settings, result, text);
    char named[FTRI_OTLP_ANSWER_TEXT_BYTES];
    if (file) {
        snprintf(named, sizeof named, "%s: %s: %s", file->name, file->path, text);
        text = named;
    }
    ftri_otlp_answer_set_text(&ret_verdict->answer, (ftr_str){text, strlen(text)});
}

void ftri_otlp_call_judge(const struct ftri_otlp_call *self, int result,
                          const struct ftri_http_answer *answer, struct ftri_bytes *unpacked,
                          struct ftri_otlp_verdict *ret_verdict)
{
    int r = result;
    if (r == 0 && is_grpc(self->settings))
        r = ftri_grpc_judge(&self->head, answer, unpacked, ret_verdict);
    else if (r == 0)
        ftri_otlp_http_judge(answer, ret_verdict);
    if (r < 0)
        judge_failure(self->settings, r, answer->error, ret_verdict);
}
