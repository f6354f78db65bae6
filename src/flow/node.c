/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and freeing nodes: one block that holds the texts too. */
#include "flow/node.h"

#include "base/mem.h"

#include <string.h>

static char *put_text(char *at, ftr_str text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

/* "type/id", as in the otel-arrow proposal's tree; one of the two alone when the other is empty. */
static void put_names(ftr_node *self, const ftr_node_options *options)
{
    const bool has_both = options->type.len && options->id.len;
    char *at = put_text(self->text, options->type);
    if (has_both)
        *at++ = '/';
    char *const id = at;
    at = put_text(at, options->id);
    self->type = (ftr_str){self->text, options->type.len};
    self->id = (ftr_str){id, options->id.len};
    self->span_name = (ftr_str){self->text, (size_t)(at - self->text)};
    self->pipeline = (ftr_str){at, options->pipeline.len};
    put_text(at, options->pipeline);
}

static void list_names(ftr_keys *ret_keys, ftr_str *room, const ftr_str *names,
                       const enum ftri_name *which, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        room[i] = names[which[i]];
    *ret_keys = (ftr_keys){.n_keys = n, .keys = room};
}

static void fill_site(ftr_node *self)
{
    static const enum ftri_name arrival[] = {
        FTRI_NAME_NODE_ID,    FTRI_NAME_NODE_TYPE,   FTRI_NAME_STATEFUL, FTRI_NAME_SIGNAL_TYPE,
        FTRI_NAME_BATCH_SIZE, FTRI_NAME_BATCH_BYTES, FTRI_NAME_PIPELINE};
    static const enum ftri_name queue[] = {FTRI_NAME_QUEUE_WAIT_MS, FTRI_NAME_QUEUE_DEPTH,
                                           FTRI_NAME_QUEUE_CAPACITY, FTRI_NAME_HOPS};
    static const enum ftri_name emit[] = {FTRI_NAME_OUT_PORT, FTRI_NAME_OUT_ITEMS,
                                          FTRI_NAME_OUT_BYTES};
    static const enum ftri_name end[] = {FTRI_NAME_LATENCY_MS, FTRI_NAME_OUTCOME};
    struct ftri_node_site *site = self->site;
    const uint32_t n_arrival =
        self->pipeline.len ? FTRI_N_ARRIVAL_VALUES : FTRI_N_ARRIVAL_VALUES - 1;
    site->site = (ftr_call_site){.kind = self->span_kind, .name = self->span_name};
    list_names(&site->arrival, site->arrival_names, self->names, arrival, n_arrival);
    list_names(&site->queue, site->queue_names, self->names, queue, FTRI_N_QUEUE_VALUES);
    list_names(&site->emit, site->emit_names, self->names, emit, FTRI_N_EMIT_VALUES);
    list_names(&site->end, site->end_names, self->names, end, FTRI_N_END_VALUES);
}

ftr_node *ftr_node_new(const ftr_node_options *options)
{
    ftr_node_options known = {0};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    const size_t n_chars = known.type.len + 1 + known.id.len + known.pipeline.len;
    const size_t site_at = (sizeof(ftr_node) + n_chars + 15) / 16 * 16;
    ftr_node *const self = ftri_zalloc(site_at + sizeof *self->site);
    if (!self)
        return NULL;
    self->site = (struct ftri_node_site *)(void *)((char *)self + site_at);
    self->names = ftri_names(FTRI_CONVENTION_FLOWTRACE);
    self->span_kind = ftri_node_span_kind(known.kind);
    self->is_stateful = known.is_stateful;
    self->lineage = known.lineage;
    put_names(self, &known);
    fill_site(self);
    return self;
}

void ftr_node_free(ftr_node *node)
{
    ftri_free(node);
}
