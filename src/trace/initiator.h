/* SPDX-License-Identifier: Apache-2.0
 *
 * Who called ftr_init, said to whoever calls it again. Guarded by the session's lock. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>
#include <sys/types.h>

struct ftri_error;

struct ftri_initiator {
    char text[400];
    pid_t process;
};

/* place: of FTR_CONFIG_INIT; NULL: caller, an address in the code that called, is looked up. The
 * other things are the calling thread and the time. */
void ftri_initiator_note(struct ftri_initiator *self, const char *place, const void *caller,
                         ftr_str service);
/* -EBUSY. */
int ftri_initiator_refuse(const struct ftri_initiator *self, bool is_stopping,
                          struct ftri_error *error) FTRI_MUST_CHECK;
