/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pdata.h"

#include "base/mem.h"
#include "base/payload.h"
#include "engine/pdata_pool.h"
#include "engine/records.h"

enum { SPARE_MIN = 64, SPARE_MAX = 256 };

static void drop_payload(struct pdata *self)
{
    ftri_payload_unref(self->otlp);
    records_unref(self->records);
    self->otlp = NULL;
    self->records = NULL;
}

void pdata_set_otlp(struct pdata *self, struct ftri_payload *otlp, uint64_t n_items)
{
    drop_payload(self);
    self->otlp = otlp;
    self->n_items = n_items;
    self->n_bytes = otlp ? ftri_payload_view(otlp).len : 0;
}

void pdata_set_records(struct pdata *self, struct records *records)
{
    drop_payload(self);
    self->records = records;
    self->n_items = records ? records->n_items : 0;
    self->n_bytes = records ? records->n_bytes : 0;
}

void pdata_set_metadata(struct pdata *self, struct ftri_payload *metadata)
{
    ftri_payload_unref(self->metadata);
    self->metadata = metadata;
}

static struct pdata *reuse(struct graph *graph)
{
    graph->n_spare--;
    return FTRI_CONTAINER(ftri_list_pop(&graph->spare), struct pdata, link);
}

struct pdata *pdata_new(struct graph *graph, struct node *holder)
{
    struct pdata *self = graph->n_spare > SPARE_MIN ? reuse(graph) : ftri_alloc(sizeof *self);
    if (!self)
        return NULL;
    *self = (struct pdata){.n_items = 0};
    ftri_list_init(&self->link);
    ftri_list_init(&self->in_hand);
    if (holder)
        pdata_hand_over(self, holder);
    return self;
}

struct pdata *pdata_copy(struct graph *graph, const struct pdata *from, struct node *holder)
{
    struct pdata *self = pdata_new(graph, holder);
    if (!self)
        return NULL;
    self->signal = from->signal;
    self->otlp = from->otlp ? ftri_payload_ref(from->otlp) : NULL;
    self->records = from->records ? records_ref(from->records) : NULL;
    self->metadata = from->metadata ? ftri_payload_ref(from->metadata) : NULL;
    self->n_items = from->n_items;
    self->n_bytes = from->n_bytes;
    self->received_ns = from->received_ns;
    self->n_attempt = from->n_attempt;
    self->is_untraced = from->is_untraced;
    return self;
}

void pdata_free(struct graph *graph, struct pdata *self)
{
    drop_payload(self);
    pdata_set_metadata(self, NULL);
    ftr_hop_release(&self->hop);
    pdata_take_back(self);
    self->frame = NULL;
    ftri_list_unlink(&self->link);
    ftri_list_append(&graph->spare, &self->link);
    if (++graph->n_spare > SPARE_MAX)
        ftri_free(reuse(graph));
}

void pdata_hand_over(struct pdata *self, struct node *holder)
{
    self->holder = holder;
    ftri_list_append(&holder->in_hand, &self->in_hand);
}

void pdata_take_back(struct pdata *self)
{
    self->holder = NULL;
    ftri_list_unlink(&self->in_hand);
}

void pdata_pool_deinit(struct graph *graph)
{
    while (graph->n_spare)
        ftri_free(reuse(graph));
}
