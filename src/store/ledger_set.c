/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ledger_set.h"

#include "base/payload.h"
#include "otlp/ledger.h"

enum { KEY_BYTES = 2048 };

void ledger_set_init(struct ledger_set *self, uint64_t since_ns,
                     int (*each)(void *argument, const struct ledger_row *row), void *argument)
{
    *self = (struct ledger_set){.since_ns = since_ns, .each = each, .argument = argument};
    ftri_map_init(&self->keys, SIZE_MAX);
    ftri_bytes_init(&self->key, KEY_BYTES);
}

void ledger_set_deinit(struct ledger_set *self)
{
    ftri_map_deinit(&self->keys);
    ftri_bytes_deinit(&self->key);
}

static int add_row(void *argument, const struct ledger_row *row)
{
    struct ledger_set *self = argument;
    struct ledger_row received = *row;
    if (row->end_ns <= self->since_ns)
        return 0;
    ftri_bytes_reset(&self->key);
    int r = ledger_write_key(row, &self->key);
    if (r < 0)
        return r;
    const ftr_str key = ftri_view_str(ftri_bytes_view(&self->key));
    if (ftri_map_get(&self->keys, key))
        return 0;
    received.received_ns = self->received_ns;
    r = ftri_map_set(&self->keys, key, self);
    return r < 0 ? r : self->each(self->argument, &received);
}

int ledger_set_add_payload(struct ledger_set *self, const struct ftri_payload *payload,
                           uint64_t received_ns)
{
    self->received_ns = received_ns;
    return ledger_read(ftri_payload_view(payload), add_row, self);
}

int ledger_set_add_pair(struct ledger_set *self, struct ftri_view key, struct ftri_view value,
                        uint64_t received_ns)
{
    struct ledger_row row;
    if (ftri_map_get(&self->keys, ftri_view_str(key)))
        return 0;
    const int r = ledger_read_pair(key, value, &row);
    if (r < 0)
        return r;
    row.received_ns = received_ns;
    return self->each(self->argument, &row);
}
