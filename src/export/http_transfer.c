/* SPDX-License-Identifier: Apache-2.0 */
#include "export/http_transfer.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* What a server may ask us to wait; more is a mistake or malice. */
enum { RETRY_AFTER_MAX_S = 24 * 3600 };

/* What libcurl hands to the system at once, each time with a poll before it. */
enum { UPLOAD_BYTES = 64 << 10, UPLOAD_BYTES_MAX = 1 << 20 };

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

/* Room for all of the body, up to a limit. Only grows: libcurl allocates it anew. */
static CURLcode set_upload_bytes(struct ftri_http_transfer *self, size_t body_len)
{
    size_t wanted = UPLOAD_BYTES;
    while (wanted < body_len && wanted < UPLOAD_BYTES_MAX)
        wanted *= 2;
    if (wanted <= self->upload_bytes)
        return CURLE_OK;
    self->upload_bytes = wanted;
    return curl_easy_setopt(self->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)wanted);
}

static void hold_back(struct ftri_http_transfer *self, int is_held)
{
    if (self->socket && *self->socket != CURL_SOCKET_BAD) /* not TCP: there is nothing to hold */
        (void)setsockopt(*self->socket, IPPROTO_TCP, TCP_CORK, &is_held, sizeof is_held);
    self->is_held = is_held;
}

static size_t on_read(char *to, size_t size, size_t room, void *argument)
{
    struct ftri_http_transfer *self = argument;
    size_t n = 0, skipped = 0;
    (void)size; /* always 1 */
    for (size_t i = 0; i < FTRI_COUNT(self->pieces); i++) {
        const struct ftri_view *piece = &self->pieces[i];
        const size_t from = self->n_sent + n - skipped;
        if (from < piece->len) {
            const size_t len = ftri_size_min(piece->len - from, room - n);
            memcpy(to + n, piece->data + from, len);
            n += len;
        }
        skipped += piece->len;
    }
    self->n_sent += n;
    if (n > 0 && !self->is_held)
        hold_back(self, 1);
    return n;
}

/* Again from the start: the connection that was to be used again had been closed. */
static int on_seek(void *argument, curl_off_t offset, int origin)
{
    struct ftri_http_transfer *self = argument;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    self->n_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static CURLcode set_reading(struct ftri_http_transfer *self)
{
    CURLcode code = curl_easy_setopt(self->easy, CURLOPT_READFUNCTION, on_read);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_READDATA, self);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_SEEKFUNCTION, on_seek);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_SEEKDATA, self);
    return code;
}

static CURLcode set_body(struct ftri_http_transfer *self, const struct ftri_http_request *request)
{
    const struct ftri_view body = request->body;
    const size_t len = request->body_head.len + body.len;
    CURLcode code = set_upload_bytes(self, len);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    if (code != CURLE_OK)
        return code;
    self->pieces[0] = request->body_head;
    self->pieces[1] = body;
    self->n_sent = 0;
    if (request->is_http2)
        return set_reading(self);
    return curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS,
                            body.len ? (const char *)body.data : "");
}

static CURLcode set_method(struct ftri_http_transfer *self, const struct ftri_http_request *request)
{
    if (strcmp(request->method, "GET") == 0)
        return CURLE_OK;
    CURLcode code = curl_easy_setopt(self->easy, CURLOPT_POST, 1L);
    if (code == CURLE_OK)
        code = set_body(self, request);
    if (code == CURLE_OK && strcmp(request->method, "POST") != 0)
        code = curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, request->method);
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
        r = errno_of(set_method(self, request));
    if (r == 0)
        r = errno_of(set_behaviour(self, request->timeout_ns));
    if (r == 0)
        r = errno_of(set_form(self, request));
    if (r < 0)
        ftri_http_transfer_deinit(self);
    return r;
}

int ftri_http_transfer_init_next(struct ftri_http_transfer *self,
                                 const struct ftri_http_request *request,
                                 struct ftri_bytes *answer_body)
{
    ftri_http_transfer_deinit(self);
    self->answer_body = answer_body;
    self->write_result = 0;
    self->error[0] = '\0';
    int r = copy_headers(self, request->headers);
    CURLcode code = CURLE_OK;
    if (strcmp(request->method, "GET") != 0)
        code = set_body(self, request);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_TIMEOUT_MS, timeout_ms(request->timeout_ns));
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
    if (r == 0)
        r = errno_of(code);
    if (r < 0)
        ftri_http_transfer_deinit(self);
    return r;
}

/* At the end of each of libcurl's rounds. */
static int on_progress(void *argument, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
                       curl_off_t sent)
{
    struct ftri_http_transfer *self = argument;
    (void)to_get, (void)got, (void)to_send, (void)sent;
    if (self->is_held)
        hold_back(self, 0);
    return 0;
}

static int on_socket(void *argument, curl_socket_t fd, curlsocktype purpose)
{
    curl_socket_t *socket = argument;
    (void)purpose;
    *socket = fd;
    return CURL_SOCKOPT_OK;
}

static int on_close(void *argument, curl_socket_t fd)
{
    curl_socket_t *socket = argument;
    if (*socket == fd)
        *socket = CURL_SOCKET_BAD;
    return close(fd);
}

int ftri_http_transfer_hold(struct ftri_http_transfer *self, curl_socket_t *socket)
{
    CURL *easy = self->easy;
    self->socket = socket;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, socket);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, socket);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, self);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    return errno_of(code);
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
