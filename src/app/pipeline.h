/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration file brought to life: document, loop, graph, signals. The commands serve, run,
 * validate and demo are made of it. On the calling thread, but for the loops beyond the first,
 * which have threads of their own while the pipeline runs. */
#pragma once

#include "engine/graph.h"
#include "nodes/environment.h"

#include <flowtrace/types.h>

struct ftri_bytes;
struct ftri_error;
struct instances;
struct loops;

struct pipeline {
    struct config_document *document;
    struct loops *loops;
    struct loop *loop;           /* the first: the calling thread's */
    struct instances *instances; /* of the graph, one a loop */
    struct graph *graph;         /* the first of them, whose views show the accounts of all */
    struct nodes_environment environment;
    struct ftr_metric_source *metrics; /* the graph's, once it was started */
    const char *name;                  /* "": it has none; lives as long as the document */
    const char *conventions;           /* likewise: "": those of the environment */
    const char *path;                  /* of the file; NULL: there is none */
    int tracing; /* index into the choices of `tracing`: 0 the process's, else 1 + ftr_mode */
    uint64_t drain_timeout_ns;
    bool is_draining, is_drained;
    bool has_failed;
    char failure[256];
};

/* Reads the native form (top level: nodes, connections, channel_capacity, loops, pipeline,
 * generation, conventions, tracing) or the Collector's (nodes/collector/form.h) and builds the
 * graph; nothing is started. path (which lives as long as the pipeline), or text under a name for
 * errors. On failure nothing is left. */
int pipeline_open_file(struct pipeline *self, const char *path, const char *data_directory,
                       struct ftri_error *error) FTRI_MUST_CHECK;
int pipeline_open_text(struct pipeline *self, ftr_str text, const char *name,
                       const char *data_directory, struct ftri_error *error) FTRI_MUST_CHECK;
/* Appends text as a YAML scalar in single quotes that means just this text. */
int pipeline_append_quoted(struct ftri_bytes *out, const char *text) FTRI_MUST_CHECK;
int pipeline_start(struct pipeline *self, struct ftri_error *error) FTRI_MUST_CHECK;
/* To stderr, when it has been started: a line for each address that its nodes listen on. */
void pipeline_print_listeners(const struct pipeline *self);
/* Runs until the work is done, a node fails, or SIGINT or SIGTERM; drains (a second signal cuts it
 * short). At SIGHUP the file is read again and `tracing` taken over; anything else that changed is
 * refused, and then nothing is taken over. Recorded as control/config, and logged. 0, or -EIO with
 * `failure` filled, also when the accounts contradict each other. */
int pipeline_run(struct pipeline *self) FTRI_MUST_CHECK;
/* Begins to drain, as a signal does: pipeline_run then returns. */
void pipeline_stop(struct pipeline *self);
/* Whether its flows are recorded, and so its ledger kept. */
bool pipeline_is_traced(const struct pipeline *self);
/* Stops the nodes, when it has run: nothing happens from then on, and metrics say so. */
void pipeline_end(struct pipeline *self);
/* The same, and frees. */
void pipeline_close(struct pipeline *self);
