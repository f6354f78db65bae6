/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where threads are made (a lint refuses pthread_create elsewhere), so that a test
 * can make the n-th start fail. A thread that the system refuses is an ordinary error. */
#pragma once

#include "base/check.h"

#include <pthread.h>

/* Starts a thread that takes no signals from outside: those are for the threads of the program.
 * ret_thread is for pthread_join; NULL: detached. 0 or a negated errno. */
int ftri_thread_start(void *(*run)(void *argument), void *argument,
                      pthread_t *ret_thread) FTRI_MUST_CHECK;

#ifdef FTR_FAULTS
/* Tests: from now on start number n (1 is the next) fails with -EAGAIN, once; 0 switches off. */
void ftri_thread_fail_at(uint64_t n);
/* Starts since the last ftri_thread_fail_at. */
uint64_t ftri_thread_starts(void);
#endif

/* Up to the block's end the calling thread is not cancelled: it holds what others wait for. */
#define FTRI_NOT_CANCELLED                                                                         \
    FTRI_CLEANUP(ftri_thread_release_cancel)                                                       \
    const int cancel_state __attribute__((unused)) = ftri_thread_hold_cancel()
int ftri_thread_hold_cancel(void);
void ftri_thread_release_cancel(const int *state);
