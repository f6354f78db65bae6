/* SPDX-License-Identifier: Apache-2.0
 *
 * One event loop per thread, on libevent. The only way into a running loop from another thread is
 * loop_wake; everything else belongs to the loop's own thread. */
#pragma once

#include "base/check.h"

struct ftri_error;
struct loop;
struct loop_timer;
struct loop_wakeup;
struct event_base;

struct loop *loop_new(struct ftri_error *error) FTRI_MUST_CHECK;
void loop_free(struct loop *self);
/* Runs until loop_stop. */
void loop_run(struct loop *self);
/* From the loop's thread or a signal callback. */
void loop_stop(struct loop *self);
/* For the modules of net/ only. */
struct event_base *loop_event_base(struct loop *self);

/* A one-shot timer; start again to repeat. Callback on the loop's thread. */
struct loop_timer *loop_timer_new(struct loop *self, void (*callback)(void *argument),
                                  void *argument) FTRI_MUST_CHECK;
void loop_timer_free(struct loop_timer *self);
void loop_timer_start(struct loop_timer *self, uint64_t delay_ns);
void loop_timer_stop(struct loop_timer *self);

/* loop_wake may be called from any thread and from signal handlers; the callback runs once or more
 * on the loop's thread afterwards. */
struct loop_wakeup *loop_wakeup_new(struct loop *self, void (*callback)(void *argument),
                                    void *argument) FTRI_MUST_CHECK;
void loop_wakeup_free(struct loop_wakeup *self);
void loop_wake(struct loop_wakeup *self);

/* Calls back on the loop's thread when the process gets the signal. */
int loop_on_signal(struct loop *self, int signal_number, void (*callback)(void *argument),
                   void *argument) FTRI_MUST_CHECK;
