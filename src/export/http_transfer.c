/* SPDX-License-Identifier: Apache-2.0 */
#include "export/http_transfer.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a server may ask us to wait; more is a mistake or malice. */
enum { RETRY_AFTER_MAX_S = 24 * 3600 };

/* Keeps a piece of the answer; less than len tells libcurl to stop. */
static size_t on_write(char *data, size_t size, size_t len, void *argument)
{
    struct ftri_http_transfer *self = argument;
    (void)size; /* always 1 */
    self->write_result = ftri_bytes_append(self->answer_body, data, len);
    return self->write_result == 0 ? len : 0;
}

/* A line of the answer's head or trailers, with its end of line. The status line has no colon. */
static size_t on_header_line(char *data, size_t size, size_t len, void *argument)
{
    struct ftri_http_transfer *self = argument;
    (void)size; /* always 1 */
    ftr_str rest = {data, len};
    while (rest.len > 0 && (rest.data[rest.len - 1] == '\n' || rest.data[rest.len - 1] == '\r'))
        rest.len--;
    const char *colon = memchr(rest.data, ':', rest.len);
    if (!colon)
        return len;
    const ftr_str name = {rest.data, (size_t)(colon - rest.data)};
    self->on_header(self->header_argument, name,
                    ftri_trim((ftr_str){colon + 1, rest.len - name.len - 1}));
    return len;
}

static int add_header(struct ftri_http_transfer *self, const char *line)
{
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (!longer)
        return -ENOMEM;
    self->headers = longer;
    return 0;
}

static int copy_headers(struct ftri_http_transfer *self, const char *const *headers)
{
    /* No waiting for "100 Continue": it costs a second with servers that do not know it. */
    int r = add_header(self, "Expect:");
    for (; r == 0 && headers && *headers; headers++)
        r = add_header(self, *headers);
    return r;
}

/* localhost, 127/8 and ::1 are never reached through a proxy. */
static bool is_loopback(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool result = false;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        result = strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                 strcmp(host, "[::1]") == 0;
    curl_free(host);
    curl_url_cleanup(parts);
    return result;
}

static CURLcode set_body(CURL *easy, const struct ftri_http_request *request)
{
    if (strcmp(request->method, "GET") == 0)
        return CURLE_OK;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                request->body.len ? (const char *)request->body.data : "");
    if (code == CURLE_OK && strcmp(request->method, "POST") != 0)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    return code;
}

static CURLcode set_text(CURL *easy, CURLoption option, const char *text)
{
    return text ? curl_easy_setopt(easy, option, text) : CURLE_OK;
}

static CURLcode set_place(CURL *easy, const struct ftri_http_request *request)
{
    const bool is_direct = request->unix_socket || is_loopback(request->url);
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
        {CURLOPT_URL, request->url},
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_PROXY, is_direct ? "" : NULL},
        {CURLOPT_UNIX_SOCKET_PATH, request->unix_socket},
        {CURLOPT_CAINFO, request->ca_file},
        {CURLOPT_SSLCERT, request->client_certificate},
        {CURLOPT_SSLKEY, request->client_key},
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; i < FTRI_COUNT(texts) && code == CURLE_OK; i++)
        code = set_text(easy, texts[i].option, texts[i].text);
    return code;
}

/* Milliseconds, at least 1: 0 would mean no limit to libcurl. */
static long timeout_ms(uint64_t timeout_ns)
{
    const uint64_t ms = timeout_ns / FTRI_NS_PER_MS;
    if (ms < 1)
        return 1;
    return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static CURLcode set_behaviour(struct ftri_http_transfer *self, uint64_t timeout_ns)
{
    CURL *easy = self->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms(timeout_ns));
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
    /* Else a name server that does not answer would be waited for beyond the timeout. */
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return code;
}

static CURLcode set_form(struct ftri_http_transfer *self, const struct ftri_http_request *request)
{
    CURL *easy = self->easy;
    const bool is_tls = strncasecmp(request->url, "https:", 6) == 0;
    CURLcode code = CURLE_OK;
    self->is_http2 = request->is_http2;
    if (request->is_http2)
        code = curl_easy_setopt(
            easy, CURLOPT_HTTP_VERSION,
            (long)(is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    if (code == CURLE_OK && request->takes_gzip)
        code = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (!request->on_header)
        return code;
    self->on_header = request->on_header;
    self->header_argument = request->header_argument;
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header_line);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    return code;
}

bool ftri_http_reuse_is_broken(void)
{
    const unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    return version >= 0x075800 && version < 0x080000;
}

static int refuse_new(void *easy, char *to, char *from, int to_port, int from_port)
{
    long n_new = 0;
    (void)to, (void)from, (void)to_port, (void)from_port;
    (void)curl_easy_getinfo((CURL *)easy, CURLINFO_NUM_CONNECTS, &n_new);
    return n_new > 0 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static int errno_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_PEER_FAILED_VERIFICATION:
        return -EACCES;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return -EINVAL;
    default:
        return -EIO;
    }
}

int ftri_http_transfer_init(struct ftri_http_transfer *self, CURL *easy,
                            const struct ftri_http_request *request, struct ftri_bytes *answer_body)
{
    *self = (struct ftri_http_transfer){.easy = easy, .answer_body = answer_body};
    curl_easy_reset(easy);
    int r = copy_headers(self, request->headers);
    if (r == 0)
        r = errno_of(set_place(easy, request));
    if (r == 0)
        r = errno_of(set_body(easy, request));
    if (r == 0)
        r = errno_of(set_behaviour(self, request->timeout_ns));
    if (r == 0)
        r = errno_of(set_form(self, request));
    if (r < 0)
        ftri_http_transfer_deinit(self);
    return r;
}

int ftri_http_transfer_reuse(struct ftri_http_transfer *self)
{
    CURLcode code = curl_easy_setopt(self->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_0);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_PREREQFUNCTION, refuse_new);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_PREREQDATA, self->easy);
    return errno_of(code);
}

void ftri_http_transfer_deinit(struct ftri_http_transfer *self)
{
    curl_slist_free_all(self->headers);
    self->headers = NULL;
}

static int failure(struct ftri_http_transfer *self, CURLcode code,
                   struct ftri_http_answer *ret_answer)
{
    const char *text = self->error[0] ? self->error : curl_easy_strerror(code);
    if (self->write_result == -EMSGSIZE)
        text = "the answer is larger than the limit";
    snprintf(ret_answer->error, sizeof ret_answer->error, "%.*s", (int)sizeof ret_answer->error - 1,
             text);
    return self->write_result < 0 ? self->write_result : errno_of(code);
}

int ftri_http_transfer_finish(struct ftri_http_transfer *self, CURLcode code,
                              struct ftri_http_answer *ret_answer)
{
    *ret_answer = (struct ftri_http_answer){0};
    if (code != CURLE_OK)
        return failure(self, code, ret_answer);
    long status = 0, version = 0;
    curl_off_t retry_after_s = 0;
    (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    (void)curl_easy_getinfo(self->easy, CURLINFO_HTTP_VERSION, &version);
    if (self->is_http2 && version != CURL_HTTP_VERSION_2_0) {
        snprintf(ret_answer->error, sizeof ret_answer->error, "the server does not speak HTTP/2");
        return -EPROTO;
    }
    ret_answer->status = (int)status;
    if (retry_after_s > RETRY_AFTER_MAX_S)
        retry_after_s = RETRY_AFTER_MAX_S;
    if (retry_after_s > 0)
        ret_answer->retry_after_ns = (uint64_t)retry_after_s * FTRI_NS_PER_S;
    ret_answer->body = ftri_bytes_view(self->answer_body);
    return 0;
}
