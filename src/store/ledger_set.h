/* SPDX-License-Identifier: Apache-2.0
 *
 * Ledger rows on their way to a reader, each once. Rows of the gather are remembered by their keys:
 * one that the writer moves meanwhile is met again in the table. */
#pragma once

#include "base/bytes.h"
#include "base/map.h"

struct ftri_payload;
struct ledger_row;

struct ledger_set {
    uint64_t since_ns; /* rows end after it */
    int (*each)(void *argument, const struct ledger_row *row);
    void *argument;
    struct ftri_map keys;
    struct ftri_bytes key;
    uint64_t received_ns; /* of the payload that is read */
};

void ledger_set_init(struct ledger_set *self, uint64_t since_ns,
                     int (*each)(void *argument, const struct ledger_row *row), void *argument);
void ledger_set_deinit(struct ledger_set *self);
/* Both: 0, -ENOMEM, or what the reader said. */
int ledger_set_add_payload(struct ledger_set *self, const struct ftri_payload *payload,
                           uint64_t received_ns) FTRI_MUST_CHECK;
/* As a table has it; one that is damaged is left out (-EBADMSG). */
int ledger_set_add_pair(struct ledger_set *self, struct ftri_view key, struct ftri_view value,
                        uint64_t received_ns) FTRI_MUST_CHECK;
