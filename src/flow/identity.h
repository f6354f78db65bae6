/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node's convention says of the node itself, beyond keys: the name and kind of its spans,
 * the word for its type, attributes that are the same on every visit, words for outcomes. */
#pragma once

#include "flow/names.h"

struct ftri_identity {
    ftr_str type;
    ftr_str span_name; /* empty: type and id */
    /* Not empty: the span's name is this, a colon and the id; the second once it has failed. */
    ftr_str completed, failed;
    ftr_span_kind span_kind;
    ftr_str outcomes[FTRI_N_OUTCOMES];
    ftr_attribute constants[FTRI_CONSTANTS_MAX];
    uint32_t n_constants;
};

/* Texts are static or those of the options. */
void ftri_identity_read(enum ftri_convention convention, const ftr_node_options *node,
                        struct ftri_identity *ret_identity);
