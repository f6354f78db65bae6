/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking way: one easy handle, which keeps its connection between calls. */
#include "export/http_client.h"

#include "base/mem.h"
#include "export/http_transfer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct ftri_http_session {
    CURL *easy;
    pid_t pid;            /* whose connections the handle holds */
    bool has_plain_http2; /* one of them is of cleartext HTTP/2 */
};

struct ftri_http_session *ftri_http_session_new(void)
{
    struct ftri_http_session *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->easy = ftri_http_start_curl() ? curl_easy_init() : NULL;
    self->pid = getpid();
    if (self->easy)
        return self;
    ftri_free(self);
    return NULL;
}

void ftri_http_session_free(struct ftri_http_session *self)
{
    if (!self)
        return;
    if (self->pid == getpid())
        curl_easy_cleanup(self->easy);
    ftri_free(self);
}

/* A fresh handle without connections. In a forked child the old one is left as it is: closing it
 * would say good-bye on connections that the parent goes on using. */
static int renew(struct ftri_http_session *self)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return -ENOMEM;
    if (self->pid == getpid())
        curl_easy_cleanup(self->easy);
    self->easy = easy;
    self->pid = getpid();
    self->has_plain_http2 = false;
    return 0;
}

static int perform(struct ftri_http_session *self, const struct ftri_http_request *request,
                   bool reuses, struct ftri_bytes *ret_body, struct ftri_http_answer *ret_answer,
                   CURLcode *ret_code)
{
    struct ftri_http_transfer transfer;
    int r = ftri_http_transfer_init(&transfer, self->easy, request, ret_body);
    if (r < 0)
        return r;
    if (reuses)
        r = ftri_http_transfer_reuse(&transfer);
    if (r == 0) {
        *ret_code = curl_easy_perform(self->easy);
        r = ftri_http_transfer_finish(&transfer, *ret_code, ret_answer);
    }
    ftri_http_transfer_deinit(&transfer);
    return r;
}

int ftri_http_session_call(struct ftri_http_session *self, const struct ftri_http_request *request,
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
    if (reuses && code == CURLE_ABORTED_BY_CALLBACK)
        r = renew(self) == 0 ? perform(self, request, false, ret_body, ret_answer, &code) : -ENOMEM;
    self->has_plain_http2 = is_plain_http2;
    /* libcurl would go on using an HTTP/2 connection on which nothing comes any more. */
    return r < 0 && renew(self) < 0 ? -ENOMEM : r;
}
