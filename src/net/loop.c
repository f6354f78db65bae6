/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers, wake-ups and signals are each one libevent event. A wake-up is an eventfd, so that
 * libevent needs no locks of its own. */
#include "net/loop.h"

#include "base/error.h"
#include "base/file.h"
#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop {
    struct event_base *base;
    struct ftri_list signals; /* struct loop_signal.entry */
};

struct loop_timer {
    struct event *event;
    void (*callback)(void *argument);
    void *argument;
};

struct loop_wakeup {
    struct event *event;
    int fd;
    void (*callback)(void *argument);
    void *argument;
};

struct loop_signal {
    struct ftri_list entry;
    struct event *event;
    void (*callback)(void *argument);
    void *argument;
};

/* Timers to the microsecond; signals and locks belong to the one thread. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0 &&
        event_config_require_features(config, EV_FEATURE_EARLY_CLOSE) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct loop *loop_new(struct ftri_error *error)
{
    struct loop *self = ftri_zalloc(sizeof *self);
    if (!self) {
        ftri_error_set(error, -ENOMEM, "event loop: out of memory");
        return NULL;
    }
    ftri_list_init(&self->signals);
    self->base = new_base();
    if (self->base)
        return self;
    ftri_error_set(error, -EIO, "event loop: no event notification that sees closed peers (epoll)");
    ftri_free(self);
    return NULL;
}

void loop_free(struct loop *self)
{
    if (!self)
        return;
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&self->signals)) != NULL) {
        struct loop_signal *one = FTRI_CONTAINER(entry, struct loop_signal, entry);
        event_free(one->event);
        ftri_free(one);
    }
    event_base_free(self->base);
    ftri_free(self);
}

void loop_run(struct loop *self)
{
    (void)event_base_loop(self->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *self)
{
    (void)event_base_loopbreak(self->base);
}

struct event_base *loop_event_base(struct loop *self)
{
    return self->base;
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    const struct loop_timer *self = argument;
    self->callback(self->argument);
}

struct loop_timer *loop_timer_new(struct loop *self, void (*callback)(void *argument),
                                  void *argument)
{
    struct loop_timer *timer = ftri_zalloc(sizeof *timer);
    if (!timer)
        return NULL;
    timer->callback = callback;
    timer->argument = argument;
    timer->event = evtimer_new(self->base, on_timer, timer);
    if (timer->event)
        return timer;
    ftri_free(timer);
    return NULL;
}

void loop_timer_free(struct loop_timer *self)
{
    if (!self)
        return;
    event_free(self->event);
    ftri_free(self);
}

void loop_timer_start(struct loop_timer *self, uint64_t delay_ns)
{
    const uint64_t delay_us = delay_ns / 1000 + (delay_ns % 1000 != 0);
    const struct timeval delay = {(time_t)(delay_us / 1000000), (suseconds_t)(delay_us % 1000000)};
    (void)evtimer_add(self->event, &delay);
}

void loop_timer_stop(struct loop_timer *self)
{
    (void)evtimer_del(self->event);
}

static void on_wake(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    const struct loop_wakeup *self = argument;
    uint64_t n;
    while (read(fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
    self->callback(self->argument);
}

void loop_wakeup_free(struct loop_wakeup *self)
{
    if (!self)
        return;
    if (self->event)
        event_free(self->event);
    ftri_file_closep(&self->fd);
    ftri_free(self);
}

struct loop_wakeup *loop_wakeup_new(struct loop *self, void (*callback)(void *argument),
                                    void *argument)
{
    struct loop_wakeup *wakeup = ftri_zalloc(sizeof *wakeup);
    if (!wakeup)
        return NULL;
    wakeup->callback = callback;
    wakeup->argument = argument;
    wakeup->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wakeup->fd >= 0)
        wakeup->event = event_new(self->base, wakeup->fd, EV_READ | EV_PERSIST, on_wake, wakeup);
    if (wakeup->event && event_add(wakeup->event, NULL) == 0)
        return wakeup;
    loop_wakeup_free(wakeup);
    return NULL;
}

void loop_wake(struct loop_wakeup *self)
{
    const int saved_errno = errno;
    const uint64_t one = 1;
    /* EAGAIN: a wake-up is pending already. */
    while (write(self->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

static void on_signal(evutil_socket_t signal_number, short what, void *argument)
{
    (void)signal_number, (void)what;
    const struct loop_signal *self = argument;
    self->callback(self->argument);
}

int loop_on_signal(struct loop *self, int signal_number, void (*callback)(void *argument),
                   void *argument)
{
    struct loop_signal *one = ftri_zalloc(sizeof *one);
    if (!one)
        return -ENOMEM;
    one->callback = callback;
    one->argument = argument;
    one->event = evsignal_new(self->base, signal_number, on_signal, one);
    if (one->event && evsignal_add(one->event, NULL) == 0) {
        ftri_list_append(&self->signals, &one->entry);
        return 0;
    }
    if (one->event)
        event_free(one->event);
    ftri_free(one);
    return -ENOMEM;
}
