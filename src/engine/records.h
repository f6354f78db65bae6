/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch of records: what flows through a graph when it is not telemetry.
 * One arena owns everything in it. Built by one owner, then sealed: immutable and shared by
 * reference, on any thread. Who edits copies unless it holds the only reference. */
#pragma once

#include "base/arena.h"

struct record {
    ftr_str key;
    ftr_str value;          /* bytes */
    uint64_t event_time_ns; /* Unix epoch; 0: unknown */
    const ftr_attribute *attributes;
    size_t n_attributes;
};

struct records {
    _Atomic uint32_t n_refs;
    bool is_sealed;
    struct ftri_arena arena;
    struct record *items;
    size_t n_items;
    size_t capacity;
    uint64_t n_bytes; /* of the values */
};

/* Empty and unsealed, one reference; NULL when memory is short. */
struct records *records_new(size_t limit_bytes) FTRI_MUST_CHECK;
struct records *records_ref(struct records *self);
void records_unref(struct records *self);
/* Copies a record in. -ENOMEM (also at the limit). Only while unsealed. */
int records_add(struct records *self, const struct record *record) FTRI_MUST_CHECK;
void records_seal(struct records *self);
/* NULL when the record has no such attribute. */
const ftr_value *record_attribute(const struct record *self, ftr_str key);
