/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Collector's exporters have in common (exporter/exporterhelper, config/configretry,
 * config/configtls): the queue, retries, TLS. Queue and retries become nodes before the exporter.
 */
#pragma once

#include "nodes/collector/component.h"

struct delivery_form {
    const struct config_value *tls, *retry, *queue, *headers;
    const char *endpoint, *compression;
    uint64_t timeout_ns;
    union {
        uint64_t number;
        bool flag;
        const char *text;
    } unused;
};

extern const struct collector_section collector_tls, collector_retry, collector_queue,
    collector_queue_batch;

/* Reads all of them, sets the exporter's options and appends the nodes before it. is_plain: what
 * tls::insecure says. */
int collector_deliver(struct collector_translation *translation,
                      const struct collector_instance *instance, const struct delivery_form *form,
                      struct config_value *config, struct collector_chain *chain) FTRI_MUST_CHECK;
