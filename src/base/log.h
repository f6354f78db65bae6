/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's log: one line per event on stderr, written where the decision is made.
 * For net, engine and above only; libraries never log. Thread-safe. */
#pragma once

#include "base/check.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* "2026-01-02T03:04:05.678Z warning wal: ...". Control characters are shown as \xNN. */
void log_write(enum log_level level, const char *format, ...) FTRI_PRINTF(2, 3);
/* Lines below the level are not written. Set once, before threads start. */
void log_set_level(enum log_level level);
