/* SPDX-License-Identifier: Apache-2.0
 *
 * The dictionaries of a block that is being written: pairs of names, origins, appends; and for each
 * span its row in all three. One thread. */
#pragma once

#include "base/bytes.h"
#include "base/map.h"
#include "store/result.h"

/* Rows of a span in the three dictionaries. */
struct block_reference {
    uint32_t pair, origin, append;
};

struct block_dictionary {
    struct block_reference *references; /* by place in the spans */
    struct ftri_bytes names;            /* the whole piece */
    struct ftri_bytes origins, appends; /* rows, without their number */
    size_t n_origins, n_appends;
    /* While it is made: maps from bytes to the row plus one, as a pointer. */
    struct ftri_map pair_rows, origin_rows, place_rows, append_rows;
    struct ftri_bytes scratch;
    uint64_t last_received, last_order; /* written */
    /* Of the span before: those of a trace mostly came together. */
    const struct found_span *last;
    ftr_str last_service;
};

void block_dictionary_init(struct block_dictionary *self, size_t limit_bytes);
void block_dictionary_deinit(struct block_dictionary *self);
int block_dictionary_make(struct block_dictionary *self, const struct found_span *spans,
                          size_t n) FTRI_MUST_CHECK;
