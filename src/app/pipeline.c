/* SPDX-License-Identifier: Apache-2.0 */
#include "app/pipeline.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "config/document.h"
#include "config/options.h"
#include "engine/graph_metrics.h"
#include "net/loop.h"
#include "nodes/collector/form.h"
#include "nodes/registry.h"

#include <errno.h>
#include <flowtrace/tracing.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct top_options {
    const struct config_value *nodes;
    const struct config_value *connections;
    const char *name, *conventions;
    uint64_t channel_capacity;
};

static const struct option rows[] = {
    {"nodes", OPTION_MAP, offsetof(struct top_options, nodes), .is_required = true,
     .sentence = "Name: {type, config} of every node."},
    {"connections", OPTION_LIST, offsetof(struct top_options, connections), .is_required = true,
     .sentence = "List of {from, to}; a port is written as node[\"port\"]."},
    {"pipeline", OPTION_STR, offsetof(struct top_options, name), "",
     .sentence = "The pipeline's name on spans."},
    {"conventions", OPTION_STR, offsetof(struct top_options, conventions), "",
     .sentence = "Whose names its spans have; default FLOWTRACE_CONVENTIONS, else flowtrace."},
    {"channel_capacity", OPTION_U64, offsetof(struct top_options, channel_capacity), "128",
     .min = 1, .max = 65536, .sentence = "Batches that a node's input channel holds."},
};

static const struct option_table table = {rows, FTRI_COUNT(rows), sizeof(struct top_options)};

static void fail_because(struct pipeline *self, const char *format, ...) FTRI_PRINTF(2, 3);

static void fail_because(struct pipeline *self, const char *format, ...)
{
    char text[sizeof self->failure];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_write(LOG_LEVEL_ERROR, "%s", text);
    if (!self->has_failed)
        memcpy(self->failure, text, sizeof text);
    self->has_failed = true;
}

static void begin_drain(struct pipeline *self)
{
    if (self->is_draining) {
        loop_stop(self->loop);
        return;
    }
    self->is_draining = true;
    graph_drain(self->graph, self->drain_timeout_ns);
}

static void on_finished(void *argument)
{
    struct pipeline *self = argument;
    if (!self->is_draining)
        begin_drain(self);
}

static void on_failed(void *argument, const char *node, const char *reason)
{
    struct pipeline *self = argument;
    fail_because(self, "node '%s': %s", node, reason);
    if (!self->is_draining)
        begin_drain(self);
}

/* At rest the accounts are exact: if they contradict each other, they are of no use to anybody. */
static void on_drained(void *argument)
{
    struct pipeline *self = argument;
    struct ftri_error error;
    if (graph_check_accounts(self->graph, &error) < 0)
        fail_because(self, "the accounts do not balance: %s", error.text);
    loop_stop(self->loop);
}

static void on_signal(void *argument)
{
    begin_drain(argument);
}

static void warn(void *argument, const char *text)
{
    (void)argument;
    log_write(LOG_LEVEL_WARNING, "%s", text);
}

/* In our form, whichever it was written in. */
static int read_top(const struct pipeline *self, struct top_options *top, struct ftri_error *error)
{
    const struct config_value *root = config_root(self->document);
    const struct collector_form form = {.document = self->document, .warn = warn};
    int r = 0;
    if (collector_form_is(self->document))
        r = collector_form_read(&form, &root, error);
    return r < 0 ? r : options_read(&table, root, "the configuration", top, error);
}

static int check_conventions(const struct pipeline *self, struct ftri_error *error)
{
    ftr_error why;
    if (!self->conventions[0] ||
        ftr_convention_check(ftr_str_from(self->conventions), &why) == FTR_OK)
        return 0;
    return config_error(config_get(config_root(self->document), "conventions"), error, -EINVAL,
                        "conventions: %s", why.text);
}

static int build(struct pipeline *self, struct ftri_error *error)
{
    struct top_options top;
    int r = read_top(self, &top, error);
    if (r < 0)
        return r;
    self->name = top.name;
    self->conventions = top.conventions;
    r = check_conventions(self, error);
    if (r < 0)
        return r;
    self->loop = loop_new(error);
    if (!self->loop)
        return -ENOMEM;
    const struct graph_options options = {
        .classes = nodes_registry,
        .nodes = top.nodes,
        .connections = top.connections,
        .pipeline = top.name,
        .conventions = top.conventions,
        .channel_capacity = (size_t)top.channel_capacity,
        .environment = &self->environment,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
        .argument = self,
    };
    return graph_new(self->loop, &options, &self->graph, error);
}

static int open_document(struct pipeline *self, const char *data_directory,
                         struct ftri_error *error)
{
    self->drain_timeout_ns = 10 * FTRI_NS_PER_S;
    self->environment.data_directory = data_directory;
    const int r = build(self, error);
    if (r < 0)
        pipeline_close(self);
    return r;
}

int pipeline_open_file(struct pipeline *self, const char *path, const char *data_directory,
                       struct ftri_error *error)
{
    *self = (struct pipeline){0};
    const int r = config_load(path, &self->document, error);
    return r < 0 ? r : open_document(self, data_directory, error);
}

int pipeline_open_text(struct pipeline *self, ftr_str text, const char *name,
                       const char *data_directory, struct ftri_error *error)
{
    *self = (struct pipeline){0};
    const int r = config_parse(text, name, &self->document, error);
    return r < 0 ? r : open_document(self, data_directory, error);
}

int pipeline_append_quoted(struct ftri_bytes *out, const char *text)
{
    int r = ftri_bytes_append_char(out, '\'');
    for (; r == 0 && *text; text++) {
        const bool is_doubled = *text == '\'' || *text == '$'; /* $ begins ${env:...} */
        r = ftri_bytes_append(out, is_doubled ? (const char[]){*text, *text} : text,
                              is_doubled ? 2 : 1);
    }
    return r == 0 ? ftri_bytes_append_char(out, '\'') : r;
}

int pipeline_start(struct pipeline *self, struct ftri_error *error)
{
    int r = loop_on_signal(self->loop, SIGINT, on_signal, self);
    if (r == 0)
        r = loop_on_signal(self->loop, SIGTERM, on_signal, self);
    if (r < 0)
        return ftri_error_errno(error, r, "watching for signals");
    self->metrics = ftr_metric_source_new(graph_write_metrics, self->graph);
    if (!self->metrics)
        return ftri_error_errno(error, -ENOMEM, "starting the pipeline");
    return graph_start(self->graph, error);
}

int pipeline_run(struct pipeline *self)
{
    loop_run(self->loop);
    return self->has_failed ? -EIO : 0;
}

void pipeline_stop(struct pipeline *self)
{
    if (!self->is_draining)
        begin_drain(self);
}

void pipeline_end(struct pipeline *self)
{
    if (self->graph)
        graph_end(self->graph);
}

void pipeline_close(struct pipeline *self)
{
    ftr_metric_source_free(self->metrics);
    graph_free(self->graph);
    loop_free(self->loop);
    config_free(self->document);
    *self = (struct pipeline){0};
}
