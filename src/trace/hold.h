/* SPDX-License-Identifier: Apache-2.0
 *
 * Who holds spans back in a session whose mode is another one: nodes in FTR_MODE_TAIL. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One more, or one less. Any thread, also outside of a session. */
void ftri_session_hold(bool is_more);
/* The marks of a flow that begins now and is to wait: FTRI_TRACE_WAITS, maybe with IS_ODD. Any
 * thread, while somebody holds. */
uint8_t ftri_tail_marks(void);
