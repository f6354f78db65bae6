/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node may ask about itself and of the runtime: the functions of node.h that move no data.
 */
#include "engine/action.h"
#include "engine/channel.h"
#include "engine/instance.h"
#include "engine/scheduler.h"
#include "net/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *control_name(enum control_kind kind)
{
    static const char *const names[CONTROL_KINDS] = {
        [CONTROL_ACK] = "control/ack",
        [CONTROL_NACK] = "control/nack",
        [CONTROL_CONFIG] = "control/config",
        [CONTROL_TIMER_TICK] = "control/timer_tick",
        [CONTROL_COLLECT_TELEMETRY] = "control/collect_telemetry",
        [CONTROL_WAKEUP] = "control/wakeup",
        [CONTROL_RESUME_DATA] = "control/resume_data",
        [CONTROL_MEMORY_PRESSURE_CHANGED] = "control/memory_pressure_changed",
        [CONTROL_DRAIN_INGRESS] = "control/drain_ingress",
        [CONTROL_SHUTDOWN] = "control/shutdown",
    };
    return (size_t)kind < CONTROL_KINDS ? names[kind] : "control/unknown";
}

const char *node_id(const struct node *self)
{
    return self->id;
}

void *node_state(struct node *self)
{
    return self->state;
}

const void *node_options(const struct node *self)
{
    return self->options;
}

struct loop *node_loop(struct node *self)
{
    return self->graph->loop;
}

size_t node_loop_index(const struct node *self)
{
    return self->graph->instance ? self->graph->instance->index : 0;
}

size_t node_n_loops(const struct node *self)
{
    return self->graph->instance ? instance_n_loops(self->graph->instance) : 1;
}

struct node *node_first(struct node *self)
{
    const struct instance *const instance = self->graph->instance;
    return instance ? instance_at(instance, 0)->graph->nodes[self->index] : self;
}

void *node_environment(const struct node *self)
{
    return self->graph->options.environment;
}

size_t node_n_ports(const struct node *self)
{
    return self->n_ports;
}

size_t node_port(const struct node *self, const char *name)
{
    size_t i = 0;
    while (i < self->n_ports && strcmp(self->ports[i].name.data, name) != 0)
        i++;
    return i;
}

bool node_can_send(const struct node *self)
{
    const bool has_room = channel_has_room(self);
    if (!has_room) {
        /* The question is also the wish to be told. */
        struct node *const asker = self->graph->nodes[self->index];
        asker->wants_resume = true;
    }
    return has_room;
}

bool node_port_has_room(const struct node *self, size_t port)
{
    return port < self->n_ports && channel_port_has_room(&self->ports[port]);
}

void node_set_accepting(struct node *self, bool is_accepting)
{
    self->is_accepting = is_accepting;
    if (is_accepting && self->n_data)
        scheduler_ready(self);
}

void node_set_timer(struct node *self, uint64_t delay_ns)
{
    if (!self->timer)
        return; /* stopped */
    if (delay_ns)
        loop_timer_start(self->timer, delay_ns);
    else
        loop_timer_stop(self->timer);
}

void node_memory_pressure(struct node *self, bool is_short, uint64_t n_used_bytes,
                          uint64_t n_allowed_bytes)
{
    const ftr_attribute attributes[] = {
        {FTR_STR("memory.pressure"), ftr_value_str(ftr_str_from(is_short ? "high" : "normal"))},
        {FTR_STR("memory.used_bytes"), ftr_value_i64((int64_t)n_used_bytes)},
        {FTR_STR("memory.allowed_bytes"), ftr_value_i64((int64_t)n_allowed_bytes)},
        {FTR_STR("memory.reported_by"), ftr_value_str(ftr_str_from(self->id))},
    };
    struct graph *const graph = self->graph;
    graph->is_memory_short = is_short;
    action_begin(graph, CONTROL_MEMORY_PRESSURE_CHANGED, attributes, FTRI_COUNT(attributes));
    action_tell_all(graph, CONTROL_MEMORY_PRESSURE_CHANGED);
}

void node_drained(struct node *self)
{
    self->is_drained = true;
    scheduler_arm(self->graph);
}

void node_finished(struct node *self)
{
    self->is_finished = true;
    scheduler_arm(self->graph);
}

void node_failed_because(struct node *self, const char *format, ...)
{
    struct graph *const graph = self->graph;
    if (graph->failed)
        return;
    graph->failed = self;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(graph->failure, sizeof graph->failure, format, arguments);
    va_end(arguments);
    scheduler_arm(graph);
}

void node_failed(struct node *self, const char *reason)
{
    node_failed_because(self, "%s", reason);
}
