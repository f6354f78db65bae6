/* SPDX-License-Identifier: Apache-2.0
 *
 * What exit() means for threads that are within libcurl: exporters that were left behind by
 * ftr_shutdown, or never shut down. The TLS library takes its memory away in a handler of its own;
 * ours is registered after it, so runs before it, asks the threads out and waits for them, for two
 * seconds at most. From then on nobody gets in. Any thread. */
#pragma once

#include "base/check.h"

/* Before and after calls of libcurl that may use TLS. False: the process is ending, do not call. */
bool ftri_http_enter(void) FTRI_MUST_CHECK;
void ftri_http_leave(void);
/* For those within: leave soon. */
bool ftri_http_is_ending(void);
