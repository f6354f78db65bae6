/* SPDX-License-Identifier: Apache-2.0
 *
 * The items of a batch as processor/window sees them: a key and a time each, and the part of the
 * batch that they go to. Kept from batch to batch; keys are valid until the next list. */
#pragma once

#include "base/arena.h"

struct ftri_otlp_item;
struct ftri_payload;
struct pdata;
struct records;

enum { WINDOW_NO_PART = UINT32_MAX };

struct window_item {
    ftr_str key;      /* its first byte tells the signal */
    uint64_t time_ns; /* 0: unknown */
    uint32_t part;
};

struct window_items {
    struct ftri_arena keys;
    struct window_item *items;
    size_t n_items;
    size_t capacity;
    const char *attribute; /* whose value is the key; "": the record's key */
    bool has_key;          /* false: all have the same */
    bool is_by_trace;      /* ... or the trace id, in hexadecimal */
    char signal;
    int failure;
};

void window_items_init(struct window_items *self, bool has_key, const char *attribute);
void window_items_deinit(struct window_items *self);
/* The key as it was in the data. */
ftr_str window_items_key(ftr_str key);
/* -ENOMEM. All parts are WINDOW_NO_PART. */
int window_items_list(struct window_items *self, const struct pdata *pdata) FTRI_MUST_CHECK;

/* What one part holds; one of the two. */
struct window_part {
    struct records *records;
    struct ftri_payload *otlp;
    uint64_t n_items;
};

/* -ENOMEM. */
int window_items_cut(const struct window_items *self, const struct pdata *pdata, uint32_t part,
                     struct window_part *ret_part) FTRI_MUST_CHECK;
/* The payload becomes the batch's. */
void window_part_give(struct window_part *self, struct pdata *pdata);
void window_part_deinit(struct window_part *self);
