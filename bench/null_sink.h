/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that takes encoded spans and counts them. One a process; counts on its own thread. */
#pragma once

#include <stdint.h>

typedef struct ftr_exporter ftr_exporter; /* <flowtrace/exporter.h> */

ftr_exporter *null_sink_new(void);
uint64_t null_sink_count(void); /* spans that have arrived; any thread */
