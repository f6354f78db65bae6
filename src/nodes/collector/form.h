/* SPDX-License-Identifier: Apache-2.0
 *
 * The OpenTelemetry Collector's form of a configuration (receivers, processors, exporters,
 * connectors, extensions, service), turned into ours (nodes, connections), which engine/graph.h
 * then reads as if it had been written so. What a component or an option of theirs has no
 * counterpart for is refused at its place; nothing is left out in silence.
 *
 *     theirs                                  ours
 *     receivers: {otlp: ...}                  node receivers::otlp, a port a signal
 *     processors: {batch: ...}                node traces::batch in every pipeline that uses it
 *     exporters: {otlp: ...}                  node exporters::otlp, before it a node for its queue
 *     connectors: {routing: ...}              node connectors::routing::traces, a port a pipeline
 *
 * A node is called by the path of what it was made of. */
#pragma once

#include "base/check.h"

struct config_document;
struct config_value;
struct ftri_error;

struct collector_form {
    struct config_document *document;
    /* Hears of what is valid and has no effect: "file:line:col: ...". May be NULL. */
    void (*warn)(void *argument, const char *text);
    void *argument;
};

/* Whether the document is meant as the Collector's: it has a part of that form, and no `nodes`. */
bool collector_form_is(const struct config_document *document);
/* The mapping of `nodes` and `connections`, which lives as long as the document. -EINVAL with
 * file:line:col and path, -ENOMEM. */
int collector_form_read(const struct collector_form *self, const struct config_value **ret_root,
                        struct ftri_error *error) FTRI_MUST_CHECK;
