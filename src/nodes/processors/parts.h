/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch in parts: some of its items each, which then go on as children of it. */
#pragma once

#include "base/check.h"

struct ftri_otlp_item;
struct ftri_payload;
struct node;
struct pdata;
struct records;

struct part {
    struct records *records; /* sealed; or */
    struct ftri_payload *otlp;
    uint64_t n_items; /* 0: there is none */
    size_t port;
};

void parts_deinit(struct part *parts, size_t n);
/* The items of a batch of telemetry that `keeps` says true of. -ENOMEM. */
int part_pick(const struct pdata *pdata,
              bool (*keeps)(void *argument, const struct ftri_otlp_item *item), void *argument,
              struct part *ret_part) FTRI_MUST_CHECK;
/* Cuts a batch, records or telemetry, into parts of at most max_items, in order. The caller's to
 * deinit and free. -ENOMEM. */
int parts_cut(const struct pdata *pdata, uint64_t max_items, struct part **ret_parts,
              size_t *ret_n) FTRI_MUST_CHECK;
/* Sends those that have items, and so settles the input, once; takes the payloads. At least one has
 * items. When memory is short the input is refused. */
void parts_send(struct node *node, struct pdata *input, struct part *parts, size_t n);
