/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/fate.h"

#include "sampling/policy.h"

#include <stdio.h>

enum { KNOWN = 1, KEPT = 2, CUT = 4, CROSSED = 8, REASON_SHIFT = 4 };

struct ftri_flow_fate ftri_fate_of(uint32_t reasons, bool is_cut)
{
    return (struct ftri_flow_fate){
        .is_kept = reasons != 0,
        .is_cut = is_cut,
        .has_crossed = (reasons & FTRI_REASON(FTR_TAIL_CROSSED)) != 0,
        .reason = reasons ? (uint8_t)ftri_reason_first(reasons) : 0,
    };
}

uint8_t ftri_fate_pack(const struct ftri_flow_fate *self)
{
    return (uint8_t)(KNOWN | (self->is_kept ? KEPT : 0) | (self->is_cut ? CUT : 0) |
                     (self->has_crossed ? CROSSED : 0) | self->reason << REASON_SHIFT);
}

struct ftri_flow_fate ftri_fate_unpack(uint8_t byte)
{
    return (struct ftri_flow_fate){
        .is_kept = (byte & KEPT) != 0,
        .is_cut = ftri_fate_byte_is_cut(byte),
        .has_crossed = (byte & CROSSED) != 0,
        .reason = byte >> REASON_SHIFT,
    };
}

size_t ftri_fate_vote(const struct ftri_flow_fate *self, char ret_text[FTRI_FATE_VOTE])
{
    if (!self->is_kept || self->reason == FTR_TAIL_CROSSED)
        return (size_t)snprintf(ret_text, FTRI_FATE_VOTE, "drop");
    return (size_t)snprintf(ret_text, FTRI_FATE_VOTE, "keep:%s",
                            ftri_reason_name((ftr_tail_reason)self->reason));
}
