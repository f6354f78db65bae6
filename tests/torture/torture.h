/* SPDX-License-Identifier: Apache-2.0
 *
 * A torture scenario: one ordinary use of a part, run again and again with another call of a seam
 * failing each time. torture.c is the main of every scenario's program; a scenario is the function
 * below. What it prepares and what it checks afterwards lies outside of begin and end, where
 * nothing fails. Between them every call may fail: the scenario then gets the documented error or
 * a working thing, the accounts balance either way, and a second try works. */
#pragma once

#include "base/check.h"

/* The scenario; the working directory is empty and its own. */
void torture_run(void);

/* From here on calls of the seam are counted, and the chosen one fails. Once a run. */
void torture_begin(void);
void torture_end(void);
/* After torture_end: whether the chosen call came to pass. If not, everything has to have worked.
 */
bool torture_has_struck(void);

/* The negated errno of a failed call of the seam: -ENOMEM or -EAGAIN. Forwarded unchanged. */
int torture_errno(void);

/* Ends the process as failed, without looking for leaks. */
_Noreturn void torture_fail(const char *file, int line, const char *format, ...) FTRI_PRINTF(3, 4);

#define EXPECT(condition)                                                                          \
    ((condition) ? (void)0 : torture_fail(__FILE__, __LINE__, "not so: %s", #condition))
/* With values, as printf. */
#define EXPECT_THAT(condition, ...)                                                                \
    ((condition) ? (void)0 : torture_fail(__FILE__, __LINE__, __VA_ARGS__))
