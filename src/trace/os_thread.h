/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads and waiting as the library needs them. Deadlines are CLOCK_MONOTONIC. */
#pragma once

#include "base/check.h"

#include <pthread.h>

/* A detached thread that takes no signals. 0 or a negated errno. */
int ftri_os_thread_start(void *(*run)(void *argument), void *argument) FTRI_MUST_CHECK;
void ftri_os_cond_init(pthread_cond_t *cond);
/* False: the deadline passed. */
bool ftri_os_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);
/* Sleeps while *word is still value, at most timeout_ns. */
void ftri_os_sleep_on(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void ftri_os_wake(_Atomic uint32_t *word);
