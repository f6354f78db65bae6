/* SPDX-License-Identifier: Apache-2.0
 *
 * Telemetry is cut in halves until the parts are small enough, so that its bytes are looked at as
 * often as there are bits in the number of parts. */
#include "nodes/processors/parts.h"

#include "base/mem.h"
#include "base/payload.h"
#include "engine/node.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "otlp/edit.h"

#include <errno.h>

void parts_deinit(struct part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        records_unref(parts[i].records);
        ftri_payload_unref(parts[i].otlp);
    }
}

static int pick(const struct ftri_otlp_message *request, const struct ftri_payload *payload,
                const struct ftri_otlp_edit *edit, struct part *ret_part)
{
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&out, UINT32_MAX);
    size_t n_kept = 0;
    if (ftri_otlp_edit(request, ftri_payload_view(payload), edit, &out, &n_kept) < 0)
        return -ENOMEM;
    struct ftri_payload *kept = n_kept ? ftri_payload_new(&out) : NULL;
    if (n_kept && !kept)
        return -ENOMEM;
    *ret_part = (struct part){.otlp = kept, .n_items = n_kept};
    return 0;
}

int part_pick(const struct pdata *pdata,
              bool (*keeps)(void *argument, const struct ftri_otlp_item *item), void *argument,
              struct part *ret_part)
{
    const struct ftri_otlp_edit edit = {.argument = argument, .keeps = keeps};
    return pick(intake_request(pdata), pdata->otlp, &edit, ret_part);
}

/* Items by their number: those below the bound, or the others. */
struct half {
    uint64_t n_seen, bound;
    bool is_upper;
};

static bool is_in_half(void *argument, const struct ftri_otlp_item *item)
{
    struct half *half = argument;
    (void)item;
    return (half->n_seen++ < half->bound) != half->is_upper;
}

struct cutting {
    const struct ftri_otlp_message *request;
    uint64_t max_items;
    struct part *parts; /* as many as there will be */
    size_t n_parts;
};

/* Takes the part over. Recurs as deep as the number of parts has bits. */
static int cut_telemetry(struct cutting *self, struct part whole)
{
    if (whole.n_items <= self->max_items) {
        self->parts[self->n_parts++] = whole;
        return 0;
    }
    const uint64_t n_parts = (whole.n_items + self->max_items - 1) / self->max_items;
    int r = 0;
    for (int i = 0; r == 0 && i < 2; i++) {
        struct half half = {.bound = n_parts / 2 * self->max_items, .is_upper = i == 1};
        const struct ftri_otlp_edit edit = {.argument = &half, .keeps = is_in_half};
        struct part part = {0};
        r = pick(self->request, whole.otlp, &edit, &part);
        if (r == 0)
            r = cut_telemetry(self, part);
    }
    parts_deinit(&whole, 1);
    return r;
}

static int cut_records(struct cutting *self, const struct records *input)
{
    for (size_t first = 0; first < input->n_items; first += self->max_items) {
        struct records *records = records_new(SIZE_MAX / 2);
        if (!records)
            return -ENOMEM;
        self->parts[self->n_parts++].records = records;
        for (size_t i = first; i < input->n_items && i - first < self->max_items; i++)
            if (records_add(records, &input->items[i]) < 0)
                return -ENOMEM;
        records_seal(records);
        self->parts[self->n_parts - 1].n_items = records->n_items;
    }
    return 0;
}

int parts_cut(const struct pdata *pdata, uint64_t max_items, struct part **ret_parts, size_t *ret_n)
{
    const size_t n = (size_t)((pdata->n_items + max_items - 1) / max_items);
    struct cutting cutting = {.request = pdata->otlp ? intake_request(pdata) : NULL,
                              .max_items = max_items,
                              .parts = ftri_zalloc(n * sizeof *cutting.parts)};
    if (!cutting.parts)
        return -ENOMEM;
    const int r = pdata->otlp
                      ? cut_telemetry(&cutting, (struct part){.otlp = ftri_payload_ref(pdata->otlp),
                                                              .n_items = pdata->n_items})
                      : cut_records(&cutting, pdata->records);
    if (r < 0) {
        parts_deinit(cutting.parts, cutting.n_parts);
        ftri_free(cutting.parts);
        return r;
    }
    *ret_parts = cutting.parts;
    *ret_n = cutting.n_parts;
    return 0;
}

static void send_one(struct node *node, struct pdata *pdata, struct part *part)
{
    if (part->records)
        pdata_set_records(pdata, part->records);
    else
        pdata_set_otlp(pdata, part->otlp, part->n_items);
    part->records = NULL;
    part->otlp = NULL;
    node_send(node, part->port, pdata);
}

/* The input itself becomes the last part, so that it is given up exactly once. */
void parts_send(struct node *node, struct pdata *input, struct part *parts, size_t n)
{
    uint32_t n_parts = 0, index = 0;
    for (size_t i = 0; i < n; i++)
        n_parts += parts[i].n_items != 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n_items == 0)
            continue;
        if (index + 1 == n_parts) {
            send_one(node, input, &parts[i]);
            return;
        }
        struct pdata *child = node_derive(node, input, index++, n_parts);
        if (!child) {
            const struct result result = {.reason = "memory is short"};
            node_nack(node, input, &result);
            return;
        }
        send_one(node, child, &parts[i]);
    }
}
