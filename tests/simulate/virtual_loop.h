/* SPDX-License-Identifier: Apache-2.0
 *
 * net/loop.h without time and without the operating system: its timers and wake-ups, under a clock
 * that jumps to what is due next. What is due at the same moment comes in an order by chance. The
 * program links this in place of net/loop.c. */
#pragma once

#include "net/loop.h"

/* Sets the clock to its beginning. Freed by loop_free. */
struct loop *virtual_loop_new(void);
/* Moves the clock to what is due next and calls it back. False: nothing is. */
bool virtual_loop_step(struct loop *self);
/* The clock goes on while somebody works. */
void virtual_loop_pass_time(uint64_t ns);
