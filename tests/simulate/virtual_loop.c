/* SPDX-License-Identifier: Apache-2.0
 *
 * A wake-up is a timer that is due at once. */
#include "virtual_loop.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "chance.h"

enum { START_S = 1000, WALL_S = 1700000000 };

struct loop {
    struct ftri_list armed; /* struct alarm.link */
};

struct alarm {
    struct ftri_list link; /* unlinked: not armed */
    struct loop *loop;
    uint64_t due_ns;
    void (*callback)(void *argument);
    void *argument;
};

struct loop_timer {
    struct alarm alarm;
};

struct loop_wakeup {
    struct alarm alarm;
};

static void set_clock(uint64_t now_ns)
{
    ftri_time_fake(now_ns, now_ns - START_S * FTRI_NS_PER_S + WALL_S * FTRI_NS_PER_S);
}

struct loop *virtual_loop_new(void)
{
    set_clock(START_S * FTRI_NS_PER_S);
    struct loop *self = ftri_alloc(sizeof *self);
    if (self)
        ftri_list_init(&self->armed);
    return self;
}

void loop_free(struct loop *self)
{
    ftri_free(self);
}

void virtual_loop_pass_time(uint64_t ns)
{
    set_clock(ftri_time_monotonic_ns() + ns);
}

/* The earliest; one of them, if they are several. What is overdue is due now. */
static struct alarm *next_alarm(const struct loop *self)
{
    const uint64_t now_ns = ftri_time_monotonic_ns();
    struct alarm *next = NULL;
    uint64_t next_ns = 0, n_alike = 0;
    for (struct ftri_list *i = self->armed.next; i != &self->armed; i = i->next) {
        struct alarm *const alarm = FTRI_CONTAINER(i, struct alarm, link);
        const uint64_t due_ns = alarm->due_ns > now_ns ? alarm->due_ns : now_ns;
        if (next && due_ns > next_ns)
            continue;
        n_alike = next && due_ns == next_ns ? n_alike + 1 : 1;
        if (n_alike == 1 || chance_one_in(n_alike))
            next = alarm;
        next_ns = due_ns;
    }
    return next;
}

bool virtual_loop_step(struct loop *self)
{
    struct alarm *const alarm = next_alarm(self);
    if (!alarm)
        return false;
    if (alarm->due_ns > ftri_time_monotonic_ns())
        set_clock(alarm->due_ns);
    ftri_list_unlink(&alarm->link);
    alarm->callback(alarm->argument);
    return true;
}

static void alarm_set(struct alarm *self, uint64_t delay_ns)
{
    const uint64_t now_ns = ftri_time_monotonic_ns();
    ftri_list_unlink(&self->link);
    self->due_ns = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
    ftri_list_append(&self->loop->armed, &self->link);
}

static struct alarm *alarm_new(struct loop *loop, size_t size, void (*callback)(void *argument),
                               void *argument)
{
    struct alarm *self = ftri_zalloc(size);
    if (!self)
        return NULL;
    ftri_list_init(&self->link);
    self->loop = loop;
    self->callback = callback;
    self->argument = argument;
    return self;
}

static void alarm_free(struct alarm *self)
{
    ftri_list_unlink(&self->link);
    ftri_free(self);
}

struct loop_timer *loop_timer_new(struct loop *self, void (*callback)(void *argument),
                                  void *argument)
{
    return (struct loop_timer *)alarm_new(self, sizeof(struct loop_timer), callback, argument);
}

void loop_timer_free(struct loop_timer *self)
{
    if (self)
        alarm_free(&self->alarm);
}

void loop_timer_start(struct loop_timer *self, uint64_t delay_ns)
{
    alarm_set(&self->alarm, delay_ns);
}

void loop_timer_stop(struct loop_timer *self)
{
    ftri_list_unlink(&self->alarm.link);
}

struct loop_wakeup *loop_wakeup_new(struct loop *self, void (*callback)(void *argument),
                                    void *argument)
{
    return (struct loop_wakeup *)alarm_new(self, sizeof(struct loop_wakeup), callback, argument);
}

void loop_wakeup_free(struct loop_wakeup *self)
{
    if (self)
        alarm_free(&self->alarm);
}

void loop_wake(struct loop_wakeup *self)
{
    if (ftri_list_is_empty(&self->alarm.link))
        alarm_set(&self->alarm, 0);
}
