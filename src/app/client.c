/* SPDX-License-Identifier: Apache-2.0 */
#include "app/client.h"

#include "app/arguments.h"
#include "base/error.h"
#include "base/time.h"
#include "codec/json_reader.h"
#include "export/http_client.h"
#include "otlp/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_LIMIT_BYTES = 1 << 30 };

const char *client_server(const char *chosen)
{
    const char *server = chosen ? chosen : getenv("FLOWTRACE_SERVER");
    return server && server[0] ? server : "http://127.0.0.1:16686";
}

int client_append_escaped(struct ftri_bytes *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    int r = 0;
    for (; *text && r == 0; text++)
        r = strchr(plain, *text) ? ftri_bytes_append_char(out, *text)
                                 : ftri_bytes_printf(out, "%%%02X", (unsigned char)*text);
    return r;
}

struct ftri_view client_find_member(struct ftri_view json, const char *name)
{
    struct ftri_json_reader reader;
    struct ftri_view found = {0};
    ftri_json_reader_init(&reader, json);
    int token = ftri_json_reader_next(&reader);
    while (token > 0) {
        token = ftri_json_reader_next(&reader);
        if (token != FTRI_JSON_NAME)
            break;
        const bool is_it =
            reader.text.len == strlen(name) && memcmp(reader.text.data, name, reader.text.len) == 0;
        token = ftri_json_reader_next(&reader);
        const size_t start = reader.offset;
        if (token < 0 || ftri_json_reader_skip(&reader, token) < 0)
            break;
        if (is_it)
            found = ftri_view_of(json.data + start, reader.next - start);
    }
    ftri_json_reader_deinit(&reader);
    return found;
}

/* Jaeger's {"error":{"httpCode":...,"message":"..."}}, or the raw beginning of the body. */
static int refused(const char *url, const struct ftri_http_answer *answer, struct ftri_error *error)
{
    const struct ftri_view message =
        client_find_member(client_find_member(answer->body, "error"), "message");
    const struct ftri_view shown = message.len ? message : answer->body;
    return ftri_error_set(error, answer->status == 404 ? -ENOENT : -EPROTO, "%s answered %d: %.*s",
                          url, answer->status, (int)ftri_size_min(shown.len, 200),
                          (const char *)shown.data);
}

static int not_ours(const char *url, struct ftri_error *error)
{
    return ftri_error_set(error, -EPROTO,
                          "%s did not answer as a Flowtrace server does; is --server right?", url);
}

static int read_traces(const char *url, struct ftri_view body, struct ftri_bytes *ret_otlp,
                       struct ftri_error *error)
{
    const struct ftri_view result = client_find_member(body, "result");
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error reason = {0};
    if (result.len == 0)
        return not_ours(url, error);
    const int r = ftri_otlp_traces_from_json(result, ret_otlp, &counts, &reason);
    if (r == -EBADMSG)
        return ftri_error_set(error, -EPROTO, "%s answered what is not OTLP: %s: %s", url,
                              reason.path, reason.reason);
    return r < 0 ? ftri_error_errno(error, r, "reading the answer of %s", url) : 0;
}

/* An answer that a bound of the server cut says so beside its body. */
static void warn_if_incomplete(void *argument, ftr_str name, ftr_str value)
{
    (void)argument;
    static const char incomplete[] = "Flowtrace-Incomplete";
    if (name.len == sizeof incomplete - 1 && strncasecmp(name.data, incomplete, name.len) == 0)
        fail(0, "%.*s", (int)value.len, value.data);
}

static int call(const char *server, const char *url, struct ftri_bytes *body,
                struct ftri_error *error)
{
    const struct ftri_http_request request = {
        .method = "GET",
        .url = url,
        .timeout_ns = 60 * FTRI_NS_PER_S,
        .on_header = warn_if_incomplete,
    };
    struct ftri_http_answer answer = {0};
    struct ftri_http_session *session = ftri_http_session_new();
    const int r = session ? ftri_http_session_call(session, &request, body, &answer) : -ENOMEM;
    ftri_http_session_free(session);
    if (r < 0)
        return ftri_error_set(error, r,
                              "%s: %s; start a collector with 'flowtrace serve', or name one with "
                              "--server URL",
                              server, answer.error[0] ? answer.error : strerror(-r));
    return answer.status == 200 ? 0 : refused(url, &answer, error);
}

static int build_url(const char *server, const char *path, struct ftri_bytes *url,
                     struct ftri_error *error)
{
    const size_t len = strlen(server);
    const int r = ftri_bytes_printf(
        url, "%.*s%s", (int)(len && server[len - 1] == '/' ? len - 1 : len), server, path);
    return r < 0 ? ftri_error_errno(error, r, "the request's address") : 0;
}

/* The body of an answer with status 200. -ENOENT: the server has no such thing. */
static int get(const char *server, const char *path, struct ftri_bytes *ret_body,
               struct ftri_error *error)
{
    struct ftri_bytes url FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&url, 64 * 1024);
    ftri_bytes_init(ret_body, ANSWER_LIMIT_BYTES);
    const int r = build_url(server, path, &url, error);
    return r < 0 ? r : call(server, (const char *)url.data, ret_body, error);
}

int client_fetch(const char *server, const char *path, struct ftri_bytes *ret_body)
{
    struct ftri_error error = {.text = "memory is short"};
    const int r = get(client_server(server), path, ret_body, &error);
    return r < 0 ? fail(1, "%s", error.text) : 0;
}

int client_get_traces(const char *server, const char *path, struct ftri_bytes *ret_otlp,
                      struct ftri_error *error)
{
    struct ftri_bytes url FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes body;
    ftri_bytes_init(&url, 64 * 1024);
    int r = get(server, path, &body, error);
    if (r == 0)
        r = build_url(server, path, &url, error);
    if (r == 0)
        r = read_traces((const char *)url.data, ftri_bytes_view(&body), ret_otlp, error);
    ftri_bytes_deinit(&body);
    return r;
}

/* -EPROTO: it is no list. */
static int each_element(struct ftri_view list, int (*each)(void *argument, ftr_str element),
                        void *argument)
{
    struct ftri_json_reader reader;
    ftri_json_reader_init(&reader, list);
    int r = ftri_json_reader_next(&reader) == FTRI_JSON_ARRAY ? 0 : -EPROTO;
    int token;
    while (r == 0 && (token = ftri_json_reader_next(&reader)) != FTRI_JSON_ARRAY_END) {
        const size_t start = reader.offset;
        if (token <= 0 || ftri_json_reader_skip(&reader, token) < 0)
            r = -EPROTO;
        else
            r = each(argument, (ftr_str){(const char *)list.data + start, reader.next - start});
    }
    ftri_json_reader_deinit(&reader);
    return r;
}

int client_get_list(const char *server, const char *path,
                    int (*each)(void *argument, ftr_str element), void *argument,
                    struct ftri_error *error)
{
    struct ftri_bytes body;
    int r = get(server, path, &body, error);
    if (r == 0) {
        r = each_element(client_find_member(ftri_bytes_view(&body), "result"), each, argument);
        if (r == -EPROTO)
            r = not_ours(server, error);
        else if (r < 0)
            r = ftri_error_errno(error, r, "printing");
    }
    ftri_bytes_deinit(&body);
    return r;
}
