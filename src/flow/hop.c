/* SPDX-License-Identifier: Apache-2.0
 *
 * Hops: values that own one context reference. */
#include <flowtrace/flow.h>

/* Field by field: compilers clear a struct of this size with an instruction that takes ten times as
 * long to start, and these two run for every batch, also when the library is off. */
static void clear_journey(ftr_hop *hop)
{
    hop->sent_ns = 0;
    hop->port = (ftr_str){0};
    hop->split_index = hop->split_count = 0;
    hop->n_hops = hop->reserved = 0;
}

void ftr_hop_init(ftr_hop *hop)
{
    hop->context = FTR_CONTEXT_NONE;
    clear_journey(hop);
}

void ftr_hop_copy(const ftr_hop *hop, ftr_hop *ret_hop)
{
    *ret_hop = *hop;
    ret_hop->context = ftr_context_copy(&hop->context);
}

void ftr_hop_release(ftr_hop *hop)
{
    ftr_context_release(&hop->context);
    clear_journey(hop);
}
