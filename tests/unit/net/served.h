/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: an HTTP server on a loop in a thread of its own, at a port of 127.0.0.1. */
#pragma once

#include "base/error.h"
#include "net/http_server.h"
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct served {
    struct loop *loop;
    struct http_server *server;
    struct loop_wakeup *wakeup;
    pthread_t thread;
    /* Runs on the loop's thread for the test, which waits. */
    void (*task)(struct served *self);
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t n_tasks_done;
    void *argument;
};

static void served_on_wake(void *argument)
{
    struct served *self = argument;
    pthread_mutex_lock(&self->mutex);
    void (*task)(struct served *) = self->task;
    self->task = NULL;
    pthread_mutex_unlock(&self->mutex);
    if (!task)
        return;
    task(self);
    pthread_mutex_lock(&self->mutex);
    self->n_tasks_done++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static void *served_run(void *argument)
{
    struct served *self = argument;
    loop_run(self->loop);
    return NULL;
}

static void served_start(struct served *self, const struct http_limits *limits,
                         const struct http_handler *handler, const char *address)
{
    struct ftri_error error = {""};
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->n_tasks_done = 0;
    self->task = NULL;
    self->loop = loop_new(&error);
    assert_non_null(self->loop);
    const struct http_server_options options = {address, *limits, *handler, NULL};
    if (http_server_open(self->loop, &options, &self->server, &error) < 0)
        fail_msg("%s", error.text);
    self->wakeup = loop_wakeup_new(self->loop, served_on_wake, self);
    assert_non_null(self->wakeup);
    assert_int_equal(pthread_create(&self->thread, NULL, served_run, self), 0);
}

/* Runs task on the loop's thread and waits for it. */
static void served_do(struct served *self, void (*task)(struct served *self))
{
    pthread_mutex_lock(&self->mutex);
    const size_t wanted = self->n_tasks_done + 1;
    self->task = task;
    loop_wake(self->wakeup);
    while (self->n_tasks_done < wanted)
        pthread_cond_wait(&self->changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

static void served_stop_loop(struct served *self)
{
    loop_stop(self->loop);
}

static void served_stop(struct served *self)
{
    served_do(self, served_stop_loop);
    pthread_join(self->thread, NULL);
    loop_wakeup_free(self->wakeup);
    http_server_close(self->server);
    loop_free(self->loop);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
}
