/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library has to say: settings that it does not use, spans that did not arrive. To the
 * configuration's callback, else to stderr, there at most a few lines a minute. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_teller {
    void (*tell)(void *argument, const char *text); /* NULL: stderr */
    void *argument;
};

void ftri_tell(const struct ftri_teller *teller, const char *format, ...) FTRI_PRINTF(2, 3);

/* Of what is no exporter's. Written while no session runs. */
void ftri_diagnostics_set(const struct ftri_teller *teller);
void ftri_diagnose(const char *format, ...) FTRI_PRINTF(1, 2);
