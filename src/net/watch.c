/* SPDX-License-Identifier: Apache-2.0 */
#include "net/watch.h"

#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>

struct loop_watch {
    struct event *event;
    void (*callback)(void *argument);
    void *argument;
};

static void on_ready(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    const struct loop_watch *self = argument;
    self->callback(self->argument);
}

struct loop_watch *loop_watch_new(struct loop *self, int fd, bool is_for_writing,
                                  void (*callback)(void *argument), void *argument)
{
    struct loop_watch *watch = ftri_zalloc(sizeof *watch);
    if (!watch)
        return NULL;
    watch->callback = callback;
    watch->argument = argument;
    watch->event =
        event_new(loop_event_base(self), fd, is_for_writing ? EV_WRITE : EV_READ, on_ready, watch);
    if (watch->event)
        return watch;
    ftri_free(watch);
    return NULL;
}

void loop_watch_free(struct loop_watch *self)
{
    if (!self)
        return;
    event_free(self->event);
    ftri_free(self);
}

int loop_watch_start(struct loop_watch *self)
{
    return event_add(self->event, NULL) == 0 ? 0 : -EIO;
}
