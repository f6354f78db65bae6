/* SPDX-License-Identifier: Apache-2.0
 *
 * The one list of node classes. */
#include "nodes/registry.h"

#include "nodes/exporters/exporters.h"
#include "nodes/processors/processors.h"
#include "nodes/receivers/receivers.h"

#include <stddef.h>

const struct node_class *const nodes_registry[] = {
    &receiver_file,
    &receiver_files,
    &receiver_generator,
    &receiver_health,
    &receiver_otlp,
    &receiver_stdin,
    &processor_attributes,
    &processor_balance,
    &processor_batch,
    &processor_delay,
    &processor_fanout,
    &processor_filter,
    &processor_forward,
    &processor_memory_limiter,
    &processor_parse,
    &processor_retry,
    &processor_route,
    &processor_wal,
    &processor_window,
    &exporter_error,
    &exporter_file,
    &exporter_http,
    &exporter_noop,
    &exporter_otlp,
    &exporter_stdout,
    &exporter_store,
    NULL,
};
