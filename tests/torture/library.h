/* SPDX-License-Identifier: Apache-2.0
 *
 * A use of libflowtrace from ftr_init to ftr_shutdown, with an exporter in memory: once with a
 * failing call, once without. Either way the accounts balance; recording never fails visibly. */
#pragma once

#include "torture.h"

#include <flowtrace/flowtrace.h>

struct library {
    ftr_memory_spans *spans;
    ftr_status status;
    ftr_error error;
    ftr_statistics statistics; /* after the shutdown */
};

struct library_use {
    /* Changes the configuration; exporters has room for more. May be NULL. */
    void (*configure)(ftr_config *config, ftr_exporter **exporters);
    /* Also when ftr_init failed: all of it is a no-op then. */
    void (*act)(void);
    /* What act expects of itself; is_whole: nothing has failed, nor ftr_init. May be NULL. */
    void (*check)(const struct library *self, bool is_whole);
    size_t n_delivered; /* of a whole one; 0: as it comes */
};

void library_run(const struct library_use *use);
