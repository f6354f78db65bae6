/* SPDX-License-Identifier: Apache-2.0 */
#include "app/pipeline.h"

#include "app/loops.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "config/document.h"
#include "config/options.h"
#include "engine/graph_metrics.h"
#include "engine/instances.h"
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
    uint64_t channel_capacity, generation;
    uint64_t n_loops;
    int tracing;
};

static const char *const tracings[] = {"process", "off", "full", "tail", NULL};
_Static_assert(FTR_MODE_OFF == 0 && FTR_MODE_FULL == 1 && FTR_MODE_TAIL == 2, "in this order");

static const struct option rows[] = {
    {"nodes", OPTION_MAP, offsetof(struct top_options, nodes), .is_required = true,
     .sentence = "Name: {type, config} of every node."},
    {"connections", OPTION_LIST, offsetof(struct top_options, connections), .is_required = true,
     .sentence = "List of {from, to}; a port is written as node[\"port\"]."},
    {"pipeline", OPTION_STR, offsetof(struct top_options, name), "",
     .sentence = "The pipeline's name on spans."},
    {"conventions", OPTION_STR, offsetof(struct top_options, conventions), "",
     .sentence = "Whose names its spans have; default FLOWTRACE_CONVENTIONS, else flowtrace."},
    {"generation", OPTION_U64, offsetof(struct top_options, generation), "0", .max = INT64_MAX,
     .sentence = "Which roll-out of its configuration this is, on spans; 0: not told."},
    {"channel_capacity", OPTION_U64, offsetof(struct top_options, channel_capacity), "128",
     .min = 1, .max = 65536, .sentence = "Batches that a node's input channel holds."},
    {"loops", OPTION_U64, offsetof(struct top_options, n_loops), "1", .min = 1,
     .max = INSTANCES_MAX, .sentence = "Threads, each with an instance of the graph."},
    {"tracing", OPTION_CHOICE, offsetof(struct top_options, tracing), "process",
     .choices = tracings,
     .sentence = "Which of the pipeline's flows are recorded and exported: none, all, or whole "
                 "flows that are worth it; process: as FLOWTRACE_MODE says. Read again at SIGHUP."},
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
    instances_drain(self->instances, self->drain_timeout_ns);
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

static void on_drained(void *argument)
{
    struct pipeline *self = argument;
    self->is_drained = true;
    loop_stop(self->loop);
}

static void on_signal(void *argument)
{
    begin_drain(argument);
}

static void set_tracing(struct pipeline *self, int tracing)
{
    const ftr_mode mode = (ftr_mode)(tracing - 1);
    self->tracing = tracing;
    instances_set_tracing(self->instances, tracing ? &mode : NULL);
}

bool pipeline_is_traced(const struct pipeline *self)
{
    return self->tracing != 1 + FTR_MODE_OFF;
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
    if (r == 0)
        r = loops_new((size_t)top.n_loops, &self->loops, error);
    if (r < 0)
        return r;
    self->loop = loops_list(self->loops)[0];
    const struct graph_options options = {
        .classes = nodes_registry,
        .nodes = top.nodes,
        .connections = top.connections,
        .pipeline = top.name,
        .conventions = top.conventions,
        .generation = top.generation,
        .channel_capacity = (size_t)top.channel_capacity,
        .environment = &self->environment,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
        .argument = self,
    };
    r = instances_new(loops_list(self->loops), (size_t)top.n_loops, &options, &self->instances,
                      error);
    if (r < 0)
        return r;
    self->graph = instances_graph(self->instances);
    set_tracing(self, top.tracing);
    return r;
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
    *self = (struct pipeline){.path = path};
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

/* NULL: it is as it was. */
static const struct config_value *change_of(const char *name, const struct config_value *before,
                                            const struct config_value *now)
{
    const struct config_value *old_value = config_get(before, name);
    const struct config_value *value = config_get(now, name);
    if (old_value && value)
        return config_first_change(old_value, value);
    return !old_value && !value ? NULL : value ? value : now;
}

/* But for what may change while the pipeline runs. */
static int check_unchanged(const struct pipeline *self, const struct config_document *document,
                           struct ftri_error *error)
{
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct config_value *change =
            change_of(rows[i].name, config_root(self->document), config_root(document));
        if (change && rows[i].offset != offsetof(struct top_options, tracing))
            return config_error(change, error, -EINVAL,
                                "`%s` cannot change while the pipeline runs, only `tracing` can; "
                                "nothing was taken over: restart it",
                                rows[i].name);
    }
    return 0;
}

/* The Collector's form has no word for what may change. */
static int check_all_unchanged(const struct pipeline *self, const struct config_document *document,
                               struct ftri_error *error)
{
    const struct config_value *change =
        config_first_change(config_root(self->document), config_root(document));
    return change ? config_error(change, error, -EINVAL,
                                 "this cannot change while the pipeline runs; nothing was taken "
                                 "over: restart it")
                  : 0;
}

static int read_again(const struct pipeline *self, int *ret_tracing, struct ftri_error *error)
{
    struct config_document *document = NULL;
    struct top_options top = {.tracing = self->tracing};
    int r = config_load(self->path, &document, error);
    if (r == 0 && (collector_form_is(document) || collector_form_is(self->document))) {
        r = check_all_unchanged(self, document, error);
    } else if (r == 0) {
        r = options_read(&table, config_root(document), "the configuration", &top, error);
        if (r == 0)
            r = check_unchanged(self, document, error);
    }
    if (r == 0)
        *ret_tracing = top.tracing;
    config_free(document);
    return r;
}

static void on_hangup(void *argument)
{
    struct pipeline *self = argument;
    struct ftri_error error = {.text = "memory is short"};
    int tracing = self->tracing;
    char change[64] = "none";
    const bool is_read = read_again(self, &tracing, &error) == 0;
    if (tracing != self->tracing)
        snprintf(change, sizeof change, "tracing: %s to %s", tracings[self->tracing],
                 tracings[tracing]);
    const ftr_attribute attributes[] = {
        {FTR_STR("config.file"), ftr_value_str(ftr_str_from(self->path))},
        {FTR_STR("config.change"), ftr_value_str(ftr_str_from(change))},
    };
    if (is_read)
        set_tracing(self, tracing);
    instances_configured(self->instances, attributes, FTRI_COUNT(attributes),
                         is_read ? NULL : error.text);
    if (is_read)
        log_write(LOG_LEVEL_INFO, "%s was read again; change: %s", self->path, change);
    else
        log_write(LOG_LEVEL_WARNING, "SIGHUP: %s", error.text);
}

int pipeline_start(struct pipeline *self, struct ftri_error *error)
{
    int r = loop_on_signal(self->loop, SIGINT, on_signal, self);
    if (r == 0)
        r = loop_on_signal(self->loop, SIGTERM, on_signal, self);
    if (r == 0 && self->path)
        r = loop_on_signal(self->loop, SIGHUP, on_hangup, self);
    if (r < 0)
        return ftri_error_errno(error, r, "watching for signals");
    self->metrics = ftr_metric_source_new(graph_write_metrics, self->graph);
    if (!self->metrics)
        return ftri_error_errno(error, -ENOMEM, "starting the pipeline");
    r = instances_start(self->instances, error);
    return r == 0 ? loops_start(self->loops, error) : r;
}

void pipeline_print_listeners(const struct pipeline *self)
{
    for (size_t i = 0; i < self->environment.n_listeners; i++)
        fprintf(stderr, "%s\n", self->environment.listeners[i]);
}

int pipeline_run(struct pipeline *self)
{
    struct ftri_error error = {{0}};
    loops_run(self->loops);
    loops_stop(self->loops);
    instances_sum(self->instances);
    /* At rest the accounts are exact: if they contradict each other, they are of no use. */
    if (self->is_drained && instances_check_accounts(self->instances, &error) < 0)
        fail_because(self, "the accounts do not balance: %s", error.text);
    return self->has_failed ? -EIO : 0;
}

void pipeline_stop(struct pipeline *self)
{
    if (!self->is_draining)
        begin_drain(self);
}

void pipeline_end(struct pipeline *self)
{
    loops_stop(self->loops);
    instances_end(self->instances);
}

void pipeline_close(struct pipeline *self)
{
    ftr_metric_source_free(self->metrics);
    loops_stop(self->loops);
    instances_free(self->instances);
    loops_free(self->loops);
    config_free(self->document);
    *self = (struct pipeline){0};
}
