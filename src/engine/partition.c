/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/partition.h"

#include "base/payload.h"
#include "engine/pdata.h"
#include "otlp/item.h"
#include "otlp/schema.h"

#include <string.h>

struct sorting {
    size_t own, n_loops;
    size_t wanted; /* the loop whose items are kept */
    uint64_t n_items[PARTITION_LOOPS_MAX];
};

/* The last eight bytes are the random ones (W3C Trace Context, level 2, counts on the last seven);
 * the multiplication (Fibonacci hashing, Knuth) spreads ids that are not. */
size_t partition_loop(const uint8_t trace_id[16], size_t n_loops)
{
    uint64_t number = 0;
    for (size_t i = 8; i < 16; i++)
        number = number << 8 | trace_id[i];
    const uint64_t spread = (number ^ number >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((spread >> 32) * n_loops >> 32);
}

static size_t loop_of(const struct sorting *self, const struct ftri_otlp_item *item)
{
    const struct ftri_view trace_id = ftri_otlp_item_trace_id(item);
    return trace_id.len ? partition_loop(trace_id.data, self->n_loops) : self->own;
}

static bool count(void *argument, const struct ftri_otlp_item *item)
{
    struct sorting *const self = argument;
    self->n_items[loop_of(self, item)]++;
    return false;
}

static bool is_wanted(void *argument, const struct ftri_otlp_item *item)
{
    const struct sorting *const self = argument;
    return loop_of(self, item) == self->wanted;
}

static const struct ftri_otlp_message *request_of(const struct pdata *pdata)
{
    if (!pdata->otlp)
        return NULL;
    return pdata->signal == FTR_SIGNAL_TRACES ? &ftri_otlp_request
           : pdata->signal == FTR_SIGNAL_LOGS ? &ftri_otlp_logs_request
                                              : NULL;
}

static struct ftri_payload *cut(const struct ftri_otlp_message *request, struct ftri_view bytes,
                                struct sorting *sorting)
{
    const struct ftri_otlp_edit edit = {.argument = sorting, .keeps = is_wanted};
    struct ftri_bytes part FTRI_CLEANUP(ftri_bytes_deinit);
    size_t n_kept;
    /* Lengths may take more bytes than they did. */
    ftri_bytes_init(&part, 2 * bytes.len + 4096);
    if (ftri_otlp_edit(request, bytes, &edit, &part, &n_kept) < 0)
        return NULL;
    return ftri_payload_new(&part);
}

void partition_deinit(struct partition *self)
{
    for (size_t i = 0; i < self->n_parts; i++)
        ftri_payload_unref(self->parts[i].otlp);
    self->n_parts = 0;
}

static size_t count_loops(const struct sorting *self, size_t *ret_last)
{
    size_t n = 0;
    for (size_t i = 0; i < self->n_loops; i++) {
        if (self->n_items[i] == 0)
            continue;
        *ret_last = i;
        n++;
    }
    return n;
}

void partition_split(const struct pdata *pdata, size_t own, size_t n_loops,
                     struct partition *ret_partition)
{
    const struct ftri_otlp_message *const request = request_of(pdata);
    struct sorting sorting = {.own = own, .n_loops = n_loops};
    const struct ftri_otlp_edit counting = {.argument = &sorting, .keeps = count};
    struct partition_part *part = ret_partition->parts;
    size_t loop = own;
    if (request)
        ftri_otlp_visit(request, ftri_payload_view(pdata->otlp), &counting);
    if (count_loops(&sorting, &loop) < 2) {
        *part++ = (struct partition_part){.loop = loop, .is_whole = true};
        n_loops = 0;
    }
    for (size_t i = 0; i < n_loops; i++) {
        if (sorting.n_items[i] == 0)
            continue;
        sorting.wanted = i;
        *part++ = (struct partition_part){
            .loop = i,
            .otlp = cut(request, ftri_payload_view(pdata->otlp), &sorting),
            .n_items = sorting.n_items[i],
        };
    }
    ret_partition->n_parts = (size_t)(part - ret_partition->parts);
}
