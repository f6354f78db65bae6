/* SPDX-License-Identifier: Apache-2.0
 *
 * w3c-service PORT: the service that suites of W3C Trace Context drive, on libflowtrace.
 *
 *     POST /test    [{"url": "http://...", "arguments": <any JSON>}, ...]
 *
 * Each url is called in order, with a POST of its arguments and the context that came with the
 * request; then the answer is a list of {url, status, error?}. Port 0 picks one; the line
 * "listening on 127.0.0.1:PORT" says when it is ready. Header limits are wide, so that what a peer
 * sends reaches the library, whose caps are what is tested. Everything is the loop thread's. */
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "export/http_client.h"
#include "net/http_server.h"
#include "net/loop.h"

#include <errno.h>
#include <flowtrace/flowtrace.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CALLS = 256, /* of one request */
    MAX_CONNECTIONS = 16,
    MAX_IN_FLIGHT = 64,
    MAX_HEADERS = 20000,
    MAX_FIELDS = 8,
    FIELDS_BYTES = 16 * 1024,
    ANSWER_BYTES = 1 << 20
};
#define MAX_HEADER_BYTES ((size_t)16 << 20)
#define CALL_TIMEOUT_NS (10 * FTRI_NS_PER_S)

struct service {
    struct loop *loop;
    struct ftri_http_client *client;
    struct loop_wakeup *wakeup;
    struct http_server *server;
    struct ftri_list jobs;
};

struct call {
    char *url;
    ftr_str arguments; /* JSON, in the job's body */
};

/* One request: its calls run one after the other. */
struct job {
    struct ftri_list entry;
    struct service *service;
    struct http_exchange *exchange; /* NULL: the peer went away */
    struct ftri_bytes body;
    ftr_context incoming;
    bool is_unsampled; /* the caller did not record */
    ftr_span span;     /* of the request; then of the call under way */
    ftr_span call_span;
    struct call calls[MAX_CALLS];
    size_t n_calls;
    size_t next;
    struct ftri_bytes results;
    struct ftri_json_writer writer;
};

static void job_free(struct job *self)
{
    for (size_t i = 0; i < self->n_calls; i++)
        ftri_free(self->calls[i].url);
    ftri_list_unlink(&self->entry);
    ftr_span_end(self->span);
    ftr_context_release(&self->incoming);
    ftri_bytes_deinit(&self->body);
    ftri_bytes_deinit(&self->results);
    ftri_free(self);
}

/* ---- what the request asks for ---- */

/* A value whose first token was read, as the text it is. */
static int read_raw(struct ftri_json_reader *reader, int token, ftr_str *ret_json)
{
    const size_t begin = reader->offset;
    const int rc = ftri_json_reader_skip(reader, token);
    if (rc < 0)
        return rc;
    *ret_json = (ftr_str){reader->json.data + begin, reader->next - begin};
    return 0;
}

static int read_url(struct ftri_json_reader *reader, int token, struct call *call)
{
    if (token != FTRI_JSON_STRING || memchr(reader->text.data, '\0', reader->text.len))
        return -EBADMSG;
    ftri_free(call->url);
    call->url = ftri_strndup(reader->text.data, reader->text.len);
    return call->url ? 0 : -ENOMEM;
}

static int read_member(struct ftri_json_reader *reader, struct call *call)
{
    const bool is_url = ftri_text_is(reader->text, "url");
    const bool is_arguments = ftri_text_is(reader->text, "arguments");
    const int token = ftri_json_reader_next(reader);
    ftr_str ignored;
    if (token < 0)
        return token;
    if (is_url)
        return read_url(reader, token, call);
    return read_raw(reader, token, is_arguments ? &call->arguments : &ignored);
}

/* An object whose beginning was read. */
static int read_call(struct ftri_json_reader *reader, struct call *call)
{
    *call = (struct call){NULL, FTR_STR("[]")};
    int token;
    int rc = 0;
    while ((token = ftri_json_reader_next(reader)) == FTRI_JSON_NAME && rc == 0)
        rc = read_member(reader, call);
    if (rc == 0 && token < 0)
        rc = token;
    return rc == 0 && !call->url ? -EBADMSG : rc;
}

static int read_calls(struct ftri_json_reader *reader, struct job *job)
{
    int token = ftri_json_reader_next(reader);
    if (token != FTRI_JSON_ARRAY)
        return token < 0 ? token : -EBADMSG;
    while ((token = ftri_json_reader_next(reader)) == FTRI_JSON_OBJECT) {
        if (job->n_calls == MAX_CALLS)
            return -E2BIG;
        const int rc = read_call(reader, &job->calls[job->n_calls++]);
        if (rc < 0)
            return rc;
    }
    if (token != FTRI_JSON_ARRAY_END)
        return token < 0 ? token : -EBADMSG;
    token = ftri_json_reader_next(reader);
    return token == FTRI_JSON_END ? 0 : -EBADMSG;
}

static int read_body(struct job *job)
{
    struct ftri_json_reader reader;
    ftri_json_reader_init(&reader, ftri_bytes_view(&job->body));
    const int rc = read_calls(&reader, job);
    ftri_json_reader_deinit(&reader);
    return rc;
}

/* ---- context in and out ---- */

static ftr_str get_field(void *exchange, ftr_str name, size_t nth)
{
    ftr_str field;
    ftr_str value;
    for (size_t i = 0; http_exchange_field(exchange, i, &field, &value); i++)
        if (ftri_text_same_word(field, name) && nth-- == 0)
            return value;
    return (ftr_str){0};
}

static ftr_str name_of_field(void *exchange, size_t nth)
{
    ftr_str name;
    ftr_str value;
    return http_exchange_field(exchange, nth, &name, &value) ? name : (ftr_str){0};
}

static const ftr_carrier exchange_carrier = {get_field, NULL, name_of_field};

/* This service records whatever its caller decided: an unsampled context, passed on without a span
 * of its own, would keep its parent-id. */
static void take_context(struct job *job)
{
    job->incoming = ftr_extract(&exchange_carrier, job->exchange);
    job->is_unsampled = ftr_span_id_is_valid(&job->incoming.span.span_id) &&
                        !(job->incoming.span.trace_flags & FTR_TRACE_FLAG_SAMPLED);
    if (job->is_unsampled)
        job->incoming.span.trace_flags |= FTR_TRACE_FLAG_SAMPLED;
    job->span = ftr_span_start(FTR_STR("POST /test"), FTR_KIND_SERVER, &job->incoming);
}

/* A call's own context, with the caller's decision. */
static ftr_context context_of_call(struct job *job)
{
    ftr_context parent = ftr_span_context_of(job->span);
    job->call_span = ftr_span_start(FTR_STR("POST"), FTR_KIND_CLIENT, &parent);
    ftr_context_release(&parent);
    ftr_context context = ftr_span_context_of(job->call_span);
    if (job->is_unsampled)
        context.span.trace_flags &= (uint8_t)~FTR_TRACE_FLAG_SAMPLED;
    return context;
}

/* ---- calls ---- */

static void add_result(struct job *job, const char *url, int status, const char *error)
{
    struct ftri_json_writer *writer = &job->writer;
    ftri_json_begin_object(writer);
    ftri_json_name(writer, FTR_STR("url"));
    ftri_json_str(writer, ftr_str_from(url));
    ftri_json_name(writer, FTR_STR("status"));
    ftri_json_i64(writer, status);
    if (error[0]) {
        ftri_json_name(writer, FTR_STR("error"));
        ftri_json_str(writer, ftr_str_from(error));
    }
    ftri_json_end_object(writer);
}

static void finish(struct job *job)
{
    ftri_json_end_array(&job->writer);
    const bool is_complete = ftri_json_writer_status(&job->writer) == 0;
    if (job->exchange && is_complete)
        http_exchange_send(job->exchange, 200, "application/json", ftri_bytes_view(&job->results));
    else if (job->exchange)
        http_exchange_send(job->exchange, 500, NULL, (struct ftri_view){0});
    job_free(job);
}

static void go_on(struct job *job);

static void on_answer(void *argument, const struct ftri_http_answer *answer)
{
    struct job *job = argument;
    ftr_span_end(job->call_span);
    add_result(job, job->calls[job->next++].url, answer->status, answer->error);
    go_on(job);
}

/* "Name: value" for each field, NULL behind the last. */
static int make_headers(const ftr_field_list *list, struct ftri_bytes *text,
                        const char *ret_headers[MAX_FIELDS + 2])
{
    size_t n = 0;
    ret_headers[n++] = "Content-Type: application/json";
    for (size_t i = 0; i < list->n_fields; i++) {
        const size_t at = text->len;
        const ftr_field *field = &list->fields[i];
        if (ftri_bytes_printf(text, "%.*s: %.*s", (int)field->name.len, field->name.data,
                              (int)field->value.len, field->value.data) < 0 ||
            ftri_bytes_append_char(text, '\0') < 0)
            return -ENOMEM;
        ret_headers[n++] = (const char *)text->data + at;
    }
    ret_headers[n] = NULL;
    return 0;
}

static int send_call(struct job *job, const struct call *call, const ftr_field_list *list)
{
    const char *headers[MAX_FIELDS + 2];
    struct ftri_bytes text;
    ftri_bytes_init(&text, 2 * FIELDS_BYTES);
    int rc = ftri_bytes_reserve(&text, 2 * FIELDS_BYTES - 1); /* so that nothing moves */
    if (rc == 0)
        rc = make_headers(list, &text, headers);
    const struct ftri_http_request request = {
        .method = "POST",
        .url = call->url,
        .headers = headers,
        .body = ftri_view_of(call->arguments.data, call->arguments.len),
        .timeout_ns = CALL_TIMEOUT_NS,
    };
    if (rc == 0)
        rc = ftri_http_client_send(job->service->client, &request, on_answer, job);
    ftri_bytes_deinit(&text);
    return rc;
}

static int begin_call(struct job *job, const struct call *call)
{
    ftr_field fields[MAX_FIELDS];
    char text[FIELDS_BYTES];
    ftr_field_list list = {
        .fields = fields, .capacity = MAX_FIELDS, .text = text, .text_capacity = sizeof text};
    ftr_context context = context_of_call(job);
    ftr_inject(&context, &ftr_http_carrier, &list);
    ftr_context_release(&context);
    const int rc = send_call(job, call, &list);
    if (rc < 0)
        ftr_span_end(job->call_span);
    return rc;
}

/* The next call, or the answer. */
static void go_on(struct job *job)
{
    while (job->next < job->n_calls) {
        const struct call *call = &job->calls[job->next];
        const int rc = begin_call(job, call);
        if (rc == 0)
            return;
        add_result(job, call->url, 0, strerror(-rc));
        job->next++;
    }
    finish(job);
}

/* ---- server ---- */

static void refuse(struct http_exchange *exchange, int status, const char *reason)
{
    http_exchange_send(exchange, status, "text/plain", ftri_view_of(reason, strlen(reason)));
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    if (!ftri_text_is(http_exchange_path(exchange), "/test"))
        refuse(exchange, 404, "only /test\n");
    else if (!ftri_text_is(http_exchange_method(exchange), "POST"))
        refuse(exchange, 405, "only POST\n");
}

static void on_abandoned(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    struct job *job = http_exchange_data(exchange);
    job->exchange = NULL;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    struct job *job = ftri_zalloc(sizeof *job);
    if (!job) {
        refuse(exchange, 503, "out of memory\n");
        return;
    }
    job->service = argument;
    ftri_list_append(&job->service->jobs, &job->entry);
    job->exchange = exchange;
    job->body = http_exchange_take_body(exchange);
    ftri_bytes_init(&job->results, ANSWER_BYTES);
    ftri_json_writer_init(&job->writer, &job->results);
    if (read_body(job) < 0) {
        refuse(exchange, 400, "the body is not a list of {url, arguments}, at most 256\n");
        job_free(job);
        return;
    }
    http_exchange_set_data(exchange, job);
    http_exchange_on_abandoned(exchange, on_abandoned);
    take_context(job);
    ftri_json_begin_array(&job->writer);
    go_on(job);
}

/* ---- set-up ---- */

static void fail(const char *what)
{
    fprintf(stderr, "w3c-service: %s\n", what);
    exit(1);
}

static void wake(void *argument)
{
    loop_wake(((struct service *)argument)->wakeup);
}

static void collect(void *argument)
{
    (void)ftri_http_client_collect(((struct service *)argument)->client);
}

static void stop(void *argument)
{
    loop_stop(((struct service *)argument)->loop);
}

static void open_server(struct service *service, const char *address)
{
    struct http_server_options options = {
        .address = address,
        .handler = {.on_request = on_request, .on_body = on_body, .argument = service},
    };
    http_limits_default(&options.limits);
    options.limits.header_bytes = MAX_HEADER_BYTES;
    options.limits.n_headers = MAX_HEADERS;
    options.limits.connections = MAX_CONNECTIONS;
    struct ftri_error error = {""};
    if (http_server_open(service->loop, &options, &service->server, &error) < 0)
        fail(error.text);
}

static void open_service(struct service *service, const char *port)
{
    char address[64];
    struct ftri_error error = {""};
    snprintf(address, sizeof address, "127.0.0.1:%s", port);
    service->loop = loop_new(&error);
    if (!service->loop)
        fail(error.text);
    service->wakeup = loop_wakeup_new(service->loop, collect, service);
    if (!service->wakeup ||
        ftri_http_client_new(MAX_IN_FLIGHT, ANSWER_BYTES, wake, service, &service->client) < 0 ||
        loop_on_signal(service->loop, SIGTERM, stop, service) < 0 ||
        loop_on_signal(service->loop, SIGINT, stop, service) < 0)
        fail("out of memory");
    open_server(service, address);
}

int main(int argc, char **argv)
{
    struct service service = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: w3c-service PORT\n");
        return 2;
    }
    ftr_error error;
    ftri_list_init(&service.jobs);
    signal(SIGPIPE, SIG_IGN);
    if (ftr_init(NULL, &error) != FTR_OK)
        fail(error.text);
    open_service(&service, argv[1]);
    printf("listening on %s\n", http_server_address(service.server));
    fflush(stdout);
    loop_run(service.loop);
    http_server_close(service.server);
    ftri_http_client_free(service.client);
    for (struct ftri_list *entry; (entry = ftri_list_pop(&service.jobs));)
        job_free(FTRI_CONTAINER(entry, struct job, entry));
    loop_wakeup_free(service.wakeup);
    loop_free(service.loop);
    return ftr_shutdown(FTRI_NS_PER_S) == FTR_OK ? 0 : 1;
}
