/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting as the library needs it. Deadlines are CLOCK_MONOTONIC. */
#pragma once

#include "base/check.h"

#include <pthread.h>

void ftri_os_cond_init(pthread_cond_t *cond);
/* False: the deadline passed. */
bool ftri_os_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);
/* Sleeps while *word is still value, at most timeout_ns. */
void ftri_os_sleep_on(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void ftri_os_wake(_Atomic uint32_t *word);
