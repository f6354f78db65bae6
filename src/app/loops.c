/* SPDX-License-Identifier: Apache-2.0 */
#include "app/loops.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/instances.h"
#include "net/loop.h"

#include <errno.h>

struct loops {
    size_t n, n_started;
    struct loop *list[INSTANCES_MAX];
    struct loop_wakeup *stoppers[INSTANCES_MAX];
    pthread_t threads[INSTANCES_MAX];
};

static void on_stop(void *loop)
{
    loop_stop(loop);
}

int loops_new(size_t n, struct loops **ret_loops, struct ftri_error *error)
{
    assert(n > 0 && n <= INSTANCES_MAX);
    struct loops *const self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "event loops: out of memory");
    for (; self->n < n; self->n++) {
        struct loop *const loop = self->list[self->n] = loop_new(error);
        self->stoppers[self->n] = loop ? loop_wakeup_new(loop, on_stop, loop) : NULL;
        if (self->stoppers[self->n])
            continue;
        self->n++; /* what there is of it */
        loops_free(self);
        return loop ? ftri_error_set(error, -ENOMEM, "event loops: out of memory") : -ENOMEM;
    }
    *ret_loops = self;
    return 0;
}

void loops_free(struct loops *self)
{
    for (size_t i = 0; self && i < self->n; i++) {
        loop_wakeup_free(self->stoppers[i]);
        loop_free(self->list[i]);
    }
    ftri_free(self);
}

struct loop *const *loops_list(const struct loops *self)
{
    return self->list;
}

static void *run(void *loop)
{
    loop_run(loop);
    return NULL;
}

void loops_stop(struct loops *self)
{
    for (size_t i = 1; self && i < self->n_started; i++)
        loop_wake(self->stoppers[i]);
    for (size_t i = 1; self && i < self->n_started; i++)
        pthread_join(self->threads[i], NULL);
    if (self)
        self->n_started = 0;
}

int loops_start(struct loops *self, struct ftri_error *error)
{
    int r = 0;
    for (self->n_started = 1; r == 0 && self->n_started < self->n; self->n_started += r == 0)
        r = ftri_thread_start(run, self->list[self->n_started], &self->threads[self->n_started]);
    if (r == 0)
        return 0;
    loops_stop(self);
    return ftri_error_errno(error, r, "starting the threads of `loops`");
}

void loops_run(struct loops *self)
{
    loop_run(self->list[0]);
}
