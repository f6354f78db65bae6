/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's thread owns the multi handle and every request under way. Requests reach it through
 * `submitted`, answers leave through `finished`; both lists and n_in_flight are under the mutex.
 * A request counts as in flight until its answer is collected, so answers are bounded too. */
#include "export/http_client.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/thread.h"
#include "export/http_transfer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { POLL_MS = 1000 };

struct ftri_http_client {
    size_t max_in_flight;
    size_t answer_limit_bytes;
    void (*wake)(void *argument);
    void *wake_argument;
    CURLM *multi; /* the thread's */
    pthread_t thread;
    pthread_mutex_t mutex;
    struct ftri_list submitted;
    struct ftri_list finished;
    size_t n_in_flight;
    bool is_stopping;
    struct ftri_list running; /* the thread's */
};

struct flight {
    struct ftri_list entry;
    struct ftri_http_transfer transfer;
    struct ftri_bytes body;
    struct ftri_http_answer answer;
    void (*done)(void *argument, const struct ftri_http_answer *answer);
    void *argument;
};

static void flight_free(struct flight *self)
{
    if (self->transfer.easy)
        curl_easy_cleanup(self->transfer.easy);
    ftri_http_transfer_deinit(&self->transfer);
    ftri_bytes_deinit(&self->body);
    ftri_free(self);
}

static void free_all(struct ftri_list *flights)
{
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(flights)) != NULL)
        flight_free(FTRI_CONTAINER(entry, struct flight, entry));
}

/* All of `from` to the end of `to`. */
static void move_all(struct ftri_list *from, struct ftri_list *to)
{
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(from)) != NULL)
        ftri_list_append(to, entry);
}

static void finish(struct ftri_http_client *self, struct flight *flight, CURLcode code)
{
    const int r = ftri_http_transfer_finish(&flight->transfer, code, &flight->answer);
    flight->answer.result = r;
    if (r < 0)
        flight->answer.status = 0;
    ftri_list_unlink(&flight->entry);
    pthread_mutex_lock(&self->mutex);
    ftri_list_append(&self->finished, &flight->entry);
    pthread_mutex_unlock(&self->mutex);
    self->wake(self->wake_argument);
}

/* False when the client is to stop. */
static bool take_submitted(struct ftri_http_client *self)
{
    struct ftri_list fresh;
    ftri_list_init(&fresh);
    pthread_mutex_lock(&self->mutex);
    move_all(&self->submitted, &fresh);
    const bool goes_on = !self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&fresh)) != NULL) {
        struct flight *flight = FTRI_CONTAINER(entry, struct flight, entry);
        ftri_list_append(&self->running, entry);
        if (curl_multi_add_handle(self->multi, flight->transfer.easy) != CURLM_OK)
            finish(self, flight, CURLE_OUT_OF_MEMORY);
    }
    return goes_on;
}

static void take_finished(struct ftri_http_client *self)
{
    CURLMsg *message;
    int n_left = 0;
    while ((message = curl_multi_info_read(self->multi, &n_left)) != NULL) {
        CURL *easy = message->easy_handle;
        const CURLcode code = message->data.result;
        void *flight = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&flight);
        (void)curl_multi_remove_handle(self->multi, easy);
        finish(self, flight, code);
    }
}

static void *run(void *argument)
{
    struct ftri_http_client *self = argument;
    while (take_submitted(self)) {
        int n_running = 0;
        (void)curl_multi_perform(self->multi, &n_running);
        take_finished(self);
        (void)curl_multi_poll(self->multi, NULL, 0, POLL_MS, NULL);
    }
    for (struct ftri_list *entry = self->running.next; entry != &self->running; entry = entry->next)
        (void)curl_multi_remove_handle(self->multi,
                                       FTRI_CONTAINER(entry, struct flight, entry)->transfer.easy);
    return NULL;
}

int ftri_http_client_new(size_t max_in_flight, size_t answer_limit_bytes,
                         void (*wake)(void *argument), void *argument,
                         struct ftri_http_client **ret_client)
{
    struct ftri_http_client *self = ftri_zalloc(sizeof *self);
    if (!self)
        return -ENOMEM;
    self->max_in_flight = max_in_flight;
    self->answer_limit_bytes = answer_limit_bytes;
    self->wake = wake;
    self->wake_argument = argument;
    ftri_list_init(&self->submitted);
    ftri_list_init(&self->finished);
    ftri_list_init(&self->running);
    pthread_mutex_init(&self->mutex, NULL);
    self->multi = ftri_http_start_curl() ? curl_multi_init() : NULL;
    const int r = self->multi ? ftri_thread_start(run, self, &self->thread) : -ENOMEM;
    if (r == 0) {
        *ret_client = self;
        return 0;
    }
    if (self->multi)
        (void)curl_multi_cleanup(self->multi);
    pthread_mutex_destroy(&self->mutex);
    ftri_free(self);
    return r;
}

void ftri_http_client_free(struct ftri_http_client *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_mutex_unlock(&self->mutex);
    (void)curl_multi_wakeup(self->multi);
    pthread_join(self->thread, NULL);
    free_all(&self->submitted);
    free_all(&self->running);
    free_all(&self->finished);
    (void)curl_multi_cleanup(self->multi);
    pthread_mutex_destroy(&self->mutex);
    ftri_free(self);
}

/* A connection of its own where libcurl cannot put a second request into one of HTTP/2. */
static int set_reuse(CURL *easy, const struct ftri_http_request *request)
{
    const bool is_plain_http2 =
        request->is_http2 && strncasecmp(request->url, "http://", strlen("http://")) == 0;
    if (!is_plain_http2 || !ftri_http_reuse_is_broken())
        return 0;
    const bool is_set = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
                        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
    return is_set ? 0 : -ENOMEM;
}

static struct flight *flight_new(struct ftri_http_client *self,
                                 const struct ftri_http_request *request, int *ret_result)
{
    *ret_result = -ENOMEM;
    struct flight *flight = ftri_zalloc(sizeof *flight);
    if (!flight)
        return NULL;
    ftri_bytes_init(&flight->body, self->answer_limit_bytes);
    CURL *easy = curl_easy_init();
    if (easy) {
        *ret_result = ftri_http_transfer_init(&flight->transfer, easy, request, &flight->body);
        flight->transfer.easy = easy;
    }
    if (*ret_result == 0)
        *ret_result = set_reuse(easy, request);
    if (*ret_result == 0 && curl_easy_setopt(easy, CURLOPT_PRIVATE, flight) == CURLE_OK)
        return flight;
    flight_free(flight);
    return NULL;
}

/* Takes a place for one more request. */
static int take_place(struct ftri_http_client *self)
{
    pthread_mutex_lock(&self->mutex);
    const bool has_room = self->n_in_flight < self->max_in_flight;
    self->n_in_flight += has_room;
    pthread_mutex_unlock(&self->mutex);
    return has_room ? 0 : -EAGAIN;
}

static void return_place(struct ftri_http_client *self)
{
    pthread_mutex_lock(&self->mutex);
    self->n_in_flight--;
    pthread_mutex_unlock(&self->mutex);
}

int ftri_http_client_send(struct ftri_http_client *self, const struct ftri_http_request *request,
                          void (*done)(void *argument, const struct ftri_http_answer *answer),
                          void *argument)
{
    int r = take_place(self);
    if (r < 0)
        return r;
    struct flight *flight = flight_new(self, request, &r);
    if (!flight) {
        return_place(self);
        return r;
    }
    flight->done = done;
    flight->argument = argument;
    pthread_mutex_lock(&self->mutex);
    ftri_list_append(&self->submitted, &flight->entry);
    pthread_mutex_unlock(&self->mutex);
    (void)curl_multi_wakeup(self->multi);
    return 0;
}

size_t ftri_http_client_collect(struct ftri_http_client *self)
{
    struct ftri_list finished;
    ftri_list_init(&finished);
    pthread_mutex_lock(&self->mutex);
    move_all(&self->finished, &finished);
    pthread_mutex_unlock(&self->mutex);
    size_t n_done = 0;
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&finished)) != NULL) {
        struct flight *flight = FTRI_CONTAINER(entry, struct flight, entry);
        return_place(self);
        flight->done(flight->argument, &flight->answer);
        flight_free(flight);
        n_done++;
    }
    return n_done;
}
