/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting on a loop for a file descriptor that belongs to somebody else. */
#pragma once

#include "base/check.h"

struct loop;
struct loop_watch;

/* Calls back once when fd can be read (or written) without waiting, also at its end or failure;
 * start again to repeat. For what can make one wait: pipes, sockets, terminals. fd stays the
 * caller's. */
struct loop_watch *loop_watch_new(struct loop *self, int fd, bool is_for_writing,
                                  void (*callback)(void *argument), void *argument) FTRI_MUST_CHECK;
void loop_watch_free(struct loop_watch *self);
/* -EIO: this kind of file cannot be watched. */
int loop_watch_start(struct loop_watch *self) FTRI_MUST_CHECK;
