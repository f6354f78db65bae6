/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/join.h"

#include "base/payload.h"
#include "engine/node.h"
#include "engine/records.h"

static struct records *join_records(struct pdata *const *inputs, size_t n)
{
    struct records *joined = records_new(SIZE_MAX / 2);
    for (size_t i = 0; joined && i < n; i++) {
        const struct records *input = inputs[i]->records;
        for (size_t j = 0; j < input->n_items; j++) {
            if (records_add(joined, &input->items[j]) < 0) {
                records_unref(joined);
                return NULL;
            }
        }
    }
    if (joined)
        records_seal(joined);
    return joined;
}

static struct ftri_payload *join_otlp(struct pdata *const *inputs, size_t n)
{
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, SIZE_MAX / 2);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct ftri_view input = ftri_payload_view(inputs[i]->otlp);
        r = ftri_bytes_append(&bytes, input.data, input.len);
    }
    struct ftri_payload *joined = r == 0 ? ftri_payload_new(&bytes) : NULL;
    ftri_bytes_deinit(&bytes);
    return joined;
}

struct pdata *join_merge(struct node *node, struct pdata **inputs, size_t n)
{
    const bool is_records = inputs[0]->records != NULL;
    uint64_t n_items = 0;
    for (size_t i = 0; i < n; i++)
        n_items += inputs[i]->n_items;
    struct records *records = is_records ? join_records(inputs, n) : NULL;
    struct ftri_payload *otlp = is_records ? NULL : join_otlp(inputs, n);
    struct pdata *merged = records || otlp ? node_merge(node, inputs, n) : NULL;
    if (!merged) {
        records_unref(records);
        ftri_payload_unref(otlp);
        return NULL;
    }
    if (is_records)
        pdata_set_records(merged, records);
    else
        pdata_set_otlp(merged, otlp, n_items);
    return merged;
}
