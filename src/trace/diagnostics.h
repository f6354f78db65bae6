/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library has to say about settings that it does not use: to the configuration's callback,
 * else to stderr, there at most a few lines a minute. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

/* Written while no session runs. NULL: stderr. */
void ftri_diagnostics_set(void (*tell)(void *instance, ftr_str text), void *instance);
void ftri_diagnose(const char *format, ...) FTRI_PRINTF(1, 2);
