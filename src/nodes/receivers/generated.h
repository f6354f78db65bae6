/* SPDX-License-Identifier: Apache-2.0
 *
 * Telemetry and records that a seed decides, but for their times: the same seed gives the same ids,
 * names and attributes. Every item has `sequence` (from 0), `tenant` (a to d), `size` (0 to 999)
 * and `ok`. */
#pragma once

#include "base/bytes.h"

#include <flowtrace/flow.h>

struct records;

struct generated {
    uint64_t drawn;
    uint64_t n_items; /* made so far */
    const char *service;
};

/* n records into an unsealed batch. -ENOMEM. */
int generated_records(struct generated *self, size_t n, uint64_t now_ns,
                      struct records *records) FTRI_MUST_CHECK;
/* A whole request with n spans, log records or data points of a gauge. -ENOMEM. */
int generated_telemetry(struct generated *self, ftr_signal signal, size_t n, uint64_t now_ns,
                        struct ftri_bytes *out) FTRI_MUST_CHECK;
