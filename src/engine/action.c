/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/action.h"

#include "engine/scheduler.h"
#include "engine/visit.h"

static bool is_action(enum control_kind kind)
{
    return kind == CONTROL_CONFIG || kind == CONTROL_MEMORY_PRESSURE_CHANGED ||
           kind == CONTROL_DRAIN_INGRESS || kind == CONTROL_SHUTDOWN;
}

/* Over when the node's code returns. */
static bool is_brief(enum control_kind kind)
{
    return kind == CONTROL_CONFIG || kind == CONTROL_MEMORY_PRESSURE_CHANGED;
}

static struct action *at_node(struct node *node, enum control_kind kind)
{
    return is_brief(kind) ? &node->graph->brief : &node->long_action;
}

static void end(struct action *self, const char *error)
{
    if (!self->is_open)
        return;
    ftr_control_end(&self->control, error ? FTR_OUTCOME_FAILURE : FTR_OUTCOME_SUCCESS,
                    ftr_str_from(error ? error : ""));
    *self = (struct action){.is_open = false};
}

static void begin(struct action *self, const struct graph *graph, enum control_kind kind,
                  const ftr_attribute *attributes, size_t n_attributes)
{
    const ftr_control_options options = {
        .size = sizeof options,
        .name = ftr_str_from(control_name(kind)),
        .pipeline = ftr_str_from(graph->options.pipeline ? graph->options.pipeline : ""),
        .attributes = attributes,
        .n_attributes = n_attributes,
        .generation = graph->options.generation,
        .has_loop = graph->options.n_loops > 1,
        .loop = (uint32_t)graph->options.loop,
    };
    *self = (struct action){.is_open = true, .kind = kind};
    ftr_control_start(&self->control, &options);
}

void action_begin(struct graph *graph, enum control_kind kind, const ftr_attribute *attributes,
                  size_t n_attributes)
{
    if (!graph->actions[kind].is_open)
        begin(&graph->actions[kind], graph, kind, attributes, n_attributes);
}

void action_refuse(const struct graph *graph, enum control_kind kind,
                   const ftr_attribute *attributes, size_t n_attributes, const char *error)
{
    struct action refused;
    begin(&refused, graph, kind, attributes, n_attributes);
    end(&refused, error);
}

static void touch_held(struct node *node, enum control_kind kind)
{
    for (struct ftri_list *i = node->in_hand.next; i != &node->in_hand; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, in_hand);
        if (pdata->frame)
            visit_control(pdata->frame, kind);
    }
}

void action_tell_all(struct graph *graph, enum control_kind kind)
{
    struct action *const self = &graph->actions[kind];
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        touch_held(node, kind);
        if (!node->class->control || node->is_stopped ||
            !ftri_list_is_empty(&node->messages[kind].link))
            continue;
        self->n_pending++;
        scheduler_control(node, kind);
    }
    if (self->n_pending == 0)
        end(self, NULL);
}

void action_end(struct graph *graph, enum control_kind kind, const char *error)
{
    end(&graph->actions[kind], error);
}

void action_begin_at(struct node *node, enum control_kind kind)
{
    if (!is_action(kind))
        return;
    struct graph *const graph = node->graph;
    struct action *const self = at_node(node, kind);
    end(self, NULL); /* a second Shutdown: more had come */
    const ftr_control_options options = {
        .size = sizeof options,
        .name = ftr_str_from(control_name(kind)),
        .node = node->recorder,
        .whole = graph->actions[kind].is_open ? &graph->actions[kind].control : NULL,
    };
    *self = (struct action){.is_open = true, .kind = kind};
    ftr_control_start(&self->control, &options);
}

void action_handled_at(struct node *node, enum control_kind kind, bool has_failed)
{
    struct graph *const graph = node->graph;
    if (!is_brief(kind))
        return;
    end(&graph->brief, has_failed ? graph->failure : NULL);
    struct action *const whole = &graph->actions[kind];
    whole->has_failed |= has_failed;
    if (whole->is_open && whole->n_pending && --whole->n_pending == 0)
        end(whole, whole->has_failed ? graph->failure : NULL);
}

void action_end_at(struct node *node, const char *error)
{
    end(&node->long_action, error);
}

void action_touch(struct node *node, enum control_kind kind, const ftr_visit *visit)
{
    if (!is_action(kind))
        return;
    struct action *const self = at_node(node, kind);
    struct action *const whole = &node->graph->actions[kind];
    if (self->is_open && self->kind == kind)
        ftr_control_touch(&self->control, visit);
    if (whole->is_open)
        ftr_control_touch(&whole->control, visit);
}
