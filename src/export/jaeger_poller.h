/* SPDX-License-Identifier: Apache-2.0
 *
 * The sampler behind include/flowtrace/jaeger.h, as a class and an instance: a thread asks the
 * server at once and then at each interval, and what it answered last holds; before the first
 * answer the initial ratio does. A server that fails, or an answer that is wrong, changes nothing;
 * that it began to is told once, and that it ended, too.
 *
 * Closing tells the thread to stop and gives it 50 ms; whoever of the two is last frees the
 * instance. A call that hangs ends within a second or so, and nothing is told any more. In a
 * forked child there is no thread: the last strategy goes on, and closing leaves the instance as it
 * is, since the parent's thread may have been at work on it. */
#pragma once

#include "base/check.h"

struct ftr_remote_sampler_options;
struct ftr_sampler_class;
struct ftri_error;
struct ftri_jaeger_poller;

/* 0; -EINVAL: the argument is wrong; -ENOMEM; or why there is no thread; with error. */
int ftri_jaeger_poller_new(const struct ftr_remote_sampler_options *options,
                           struct ftri_jaeger_poller **ret_poller,
                           struct ftri_error *error) FTRI_MUST_CHECK;
const struct ftr_sampler_class *ftri_jaeger_poller_class(void);
