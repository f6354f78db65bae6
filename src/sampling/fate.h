/* SPDX-License-Identifier: Apache-2.0
 *
 * What was decided about a flow: as a value, as the byte that is remembered of it, and as the text
 * that its local root carries when others have a say. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_flow_fate {
    bool is_kept;
    bool is_cut;      /* decided before its end */
    bool has_crossed; /* FTR_TAIL_CROSSED is among its reasons */
    uint8_t reason;   /* ftr_tail_reason, if it is kept */
};

/* reasons: of policy.h. */
struct ftri_flow_fate ftri_fate_of(uint32_t reasons, bool is_cut);
/* Never 0. */
uint8_t ftri_fate_pack(const struct ftri_flow_fate *self);
struct ftri_flow_fate ftri_fate_unpack(uint8_t byte);
static inline bool ftri_fate_byte_is_cut(uint8_t byte)
{
    return (byte & 4) != 0;
}

enum { FTRI_FATE_VOTE = 24 };
/* "keep:error", "drop": what would have become of a flow that has crossed. Returns the length. */
size_t ftri_fate_vote(const struct ftri_flow_fate *self, char ret_text[FTRI_FATE_VOTE]);
