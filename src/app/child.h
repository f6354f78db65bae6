/* SPDX-License-Identifier: Apache-2.0
 *
 * This program as a child process, for the demo: started from /proc/self/exe with its diagnostics
 * in a file, watched for the lines that name its addresses, stopped by its pid. */
#pragma once

#include "base/check.h"

#include <sys/types.h>

struct ftri_error;

struct child {
    pid_t pid; /* 0: not running */
    const char *log_path;
};

/* argv: NULL-terminated, without the program's name. Unless it is to stay, the child gets SIGTERM
 * when the calling thread ends, however that comes about. */
int child_start(struct child *self, const char *const *argv, const char *log_path, bool is_to_stay,
                struct ftri_error *error) FTRI_MUST_CHECK;
/* Waits (at most 15 s) for a line "<before>REST" and copies REST. Fails when the child ends first,
 * with the last line that it wrote. */
int child_wait_line(struct child *self, const char *before, char *ret_rest, size_t size,
                    struct ftri_error *error) FTRI_MUST_CHECK;
/* SIGTERM, then SIGKILL after 10 s; reaps. */
void child_stop(struct child *self);
