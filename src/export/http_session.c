/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking way: one easy handle, which keeps its connection between calls. */
#include "export/http_client.h"

#include "base/mem.h"
#include "export/http_exit.h"
#include "export/http_transfer.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct ftri_http_session {
    struct ftri_http_session *next_left; /* see leave_behind */
    CURL *easy;
    pid_t pid;                          /* whose connections the handle holds */
    bool has_plain_http2;               /* one of them is of cleartext HTTP/2 */
    struct ftri_http_transfer transfer; /* the last one, while is_prepared */
    struct ftri_http_request request;   /* its, when it was configured from nothing */
    bool reuses;                        /* the same */
    bool is_prepared;
    curl_socket_t socket; /* of the connection made last */
    _Atomic bool is_cancelled;
};

static void forget(struct ftri_http_session *self)
{
    ftri_http_transfer_deinit(&self->transfer);
    self->is_prepared = false;
}

struct ftri_http_session *ftri_http_session_new(void)
{
    struct ftri_http_session *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->easy = ftri_http_start_curl() ? curl_easy_init() : NULL;
    self->pid = getpid();
    self->socket = CURL_SOCKET_BAD;
    if (self->easy)
        return self;
    ftri_free(self);
    return NULL;
}

/* The process ends and takes it along; till then it is not lost. */
static void leave_behind(struct ftri_http_session *self)
{
    static struct ftri_http_session *_Atomic left;
    self->next_left = atomic_load(&left);
    while (!atomic_compare_exchange_weak(&left, &self->next_left, self))
        ;
}

void ftri_http_session_free(struct ftri_http_session *self)
{
    if (!self)
        return;
    if (!ftri_http_enter()) {
        leave_behind(self);
        return;
    }
    forget(self);
    if (self->pid == getpid())
        curl_easy_cleanup(self->easy);
    ftri_http_leave();
    ftri_free(self);
}

/* A fresh handle without connections. In a forked child the old one is left as it is: closing it
 * would say good-bye on connections that the parent goes on using. */
static int renew(struct ftri_http_session *self)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return -ENOMEM;
    forget(self);
    if (self->pid == getpid())
        curl_easy_cleanup(self->easy);
    self->easy = easy;
    self->pid = getpid();
    self->socket = CURL_SOCKET_BAD;
    self->has_plain_http2 = false;
    return 0;
}

static bool has_to_stop(const struct ftri_http_session *self)
{
    return atomic_load_explicit(&self->is_cancelled, memory_order_relaxed) || ftri_http_is_ending();
}

/* Not 0: stop. */
static int on_progress(void *argument, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    return has_to_stop(argument);
}

static int watch_progress(struct ftri_http_session *self)
{
    CURL *easy = self->easy;
    const bool is_set = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
                        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, self) == CURLE_OK &&
                        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    return is_set ? 0 : -ENOMEM;
}

/* All but headers, body and timeout. Strings at the same address are the same: see the header. */
static bool is_alike(const struct ftri_http_request *a, const struct ftri_http_request *b)
{
    return a->method == b->method && a->url == b->url && a->is_http2 == b->is_http2 &&
           a->takes_gzip == b->takes_gzip && a->on_header == b->on_header &&
           a->header_argument == b->header_argument && a->unix_socket == b->unix_socket &&
           a->ca_file == b->ca_file && a->client_certificate == b->client_certificate &&
           a->client_key == b->client_key;
}

static int prepare(struct ftri_http_session *self, const struct ftri_http_request *request,
                   bool reuses, struct ftri_bytes *ret_body)
{
    if (self->is_prepared && self->reuses == reuses && is_alike(&self->request, request))
        return ftri_http_transfer_init_next(&self->transfer, request, ret_body);
    forget(self);
    int r = ftri_http_transfer_init(&self->transfer, self->easy, request, ret_body);
    if (r == 0)
        r = watch_progress(self);
    if (r == 0 && reuses)
        r = ftri_http_transfer_reuse(&self->transfer);
    if (r == 0 && request->is_http2)
        r = ftri_http_transfer_hold(&self->transfer, &self->socket);
    self->request = *request;
    self->reuses = reuses;
    self->is_prepared = r == 0;
    return r;
}

static int perform(struct ftri_http_session *self, const struct ftri_http_request *request,
                   bool reuses, struct ftri_bytes *ret_body, struct ftri_http_answer *ret_answer,
                   CURLcode *ret_code)
{
    const int r = prepare(self, request, reuses, ret_body);
    if (r < 0) {
        forget(self);
        return r;
    }
    *ret_code = curl_easy_perform(self->easy);
    return ftri_http_transfer_finish(&self->transfer, *ret_code, ret_answer);
}

static int call(struct ftri_http_session *self, const struct ftri_http_request *request,
                struct ftri_bytes *ret_body, struct ftri_http_answer *ret_answer)
{
    *ret_answer = (struct ftri_http_answer){.error = "out of memory"};
    if (self->pid != getpid() && renew(self) < 0)
        return -ENOMEM;
    const bool is_plain_http2 =
        request->is_http2 && strncasecmp(request->url, "http://", strlen("http://")) == 0;
    const bool reuses = is_plain_http2 && self->has_plain_http2 && ftri_http_reuse_is_broken();
    CURLcode code = CURLE_OK;
    int r = perform(self, request, reuses, ret_body, ret_answer, &code);
    if (reuses && code == CURLE_ABORTED_BY_CALLBACK && !has_to_stop(self))
        r = renew(self) == 0 ? perform(self, request, false, ret_body, ret_answer, &code) : -ENOMEM;
    self->has_plain_http2 = is_plain_http2;
    /* libcurl would go on using an HTTP/2 connection on which nothing comes any more. */
    return r < 0 && !has_to_stop(self) && renew(self) < 0 ? -ENOMEM : r;
}

void ftri_http_session_cancel(struct ftri_http_session *self)
{
    atomic_store(&self->is_cancelled, true);
}

int ftri_http_session_call(struct ftri_http_session *self, const struct ftri_http_request *request,
                           struct ftri_bytes *ret_body, struct ftri_http_answer *ret_answer)
{
    *ret_answer = (struct ftri_http_answer){.error = "the process is ending"};
    if (!ftri_http_enter())
        return -ECANCELED;
    const int r =
        atomic_load(&self->is_cancelled) ? -ECANCELED : call(self, request, ret_body, ret_answer);
    ftri_http_leave();
    return r;
}
