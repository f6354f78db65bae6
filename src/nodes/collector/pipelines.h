/* SPDX-License-Identifier: Apache-2.0
 *
 * service::pipelines: who is connected with whom. Receivers, exporters and connectors are there
 * once, however many pipelines name them; a processor is there in each. */
#pragma once

#include "nodes/collector/component.h"

struct collector_components {
    struct collector_instance *items; /* in the document's order */
    size_t n_items;
    struct collector_chain *chains; /* what each became, once it did; of processors nothing */
};

struct collector_pipelines {
    struct collector_translation *translation;
    struct collector_components *components; /* COLLECTOR_KINDS of them */
    const struct config_value *pipelines;
};

/* NULL: there is none. */
struct collector_instance *collector_instance_find(const struct collector_components *components,
                                                   const char *id);
/* Checks the pipelines, and notes in the components who uses them. */
int collector_pipelines_check(const struct collector_pipelines *self) FTRI_MUST_CHECK;
/* Makes the processors and all connections; the other components have their chains. */
int collector_pipelines_connect(const struct collector_pipelines *self) FTRI_MUST_CHECK;
