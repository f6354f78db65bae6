/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library has to say: settings that it does not use (warnings), spans that did not arrive
 * (errors). To the configuration's callback, else to stderr, there at most a few lines a minute and
 * down to a level. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_teller {
    void (*tell)(void *argument, const char *text); /* NULL: stderr */
    void *argument;
};

enum ftri_log_level { FTRI_LOG_NOTHING, FTRI_LOG_ERRORS, FTRI_LOG_ALL };

/* An error. */
void ftri_tell(const struct ftri_teller *teller, const char *format, ...) FTRI_PRINTF(2, 3);

/* A warning. */
void ftri_warn(const struct ftri_teller *teller, const char *format, ...) FTRI_PRINTF(2, 3);

/* Of what is no exporter's, and what goes to stderr. Written while no session runs. */
void ftri_diagnostics_set(const struct ftri_teller *teller, enum ftri_log_level level);
/* A warning. */
void ftri_diagnose(const char *format, ...) FTRI_PRINTF(1, 2);
