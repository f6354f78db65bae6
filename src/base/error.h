/* SPDX-License-Identifier: Apache-2.0
 *
 * A text for people beside the code for programs. Set-up and I/O functions take an optional
 * `struct ftri_error *` (NULL is fine) and return a negated errno. No allocation.
 * A cause chain reads "exporter/store 'store': opening flowtrace.db: Permission denied". */
#pragma once

#include "base/check.h"

enum { FTRI_ERROR_TEXT_BYTES = 512 };

struct ftri_error {
    char text[FTRI_ERROR_TEXT_BYTES]; /* one sentence, no newline */
};

/* Replaces the text; returns code, so that `return ftri_error_set(e, -EINVAL, ...)` reads well. */
int ftri_error_set(struct ftri_error *self, int code, const char *format, ...) FTRI_PRINTF(3, 4);
/* Puts "prefix: " before the text. */
int ftri_error_prefix(struct ftri_error *self, int code, const char *format, ...) FTRI_PRINTF(3, 4);
/* "doing: Permission denied" for a system call's negated errno. */
int ftri_error_errno(struct ftri_error *self, int code, const char *format, ...) FTRI_PRINTF(3, 4);
