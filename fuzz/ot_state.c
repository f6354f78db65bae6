/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a tracestate header of anybody. What is accepted is in normal form; writing th
 * changes th alone, and stays within the limits. */
#include "base/text.h"
#include "context/tracestate.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_normal(ftr_str list)
{
    char again[FTRI_TRACESTATE_MAX];
    size_t len = 0;
    if (list.len == 0)
        return;
    require(ftri_tracestate_read(list, again, &len));
    require(len == list.len && memcmp(again, list.data, len) == 0);
}

/* The others of `after` are those of `before`, in order; some may be missing at its end. */
static void require_same_others(ftr_str before, ftr_str after)
{
    ftr_str old;
    ftr_str kept;
    while (ftri_text_split(&after, ',', &kept)) {
        if (kept.len >= 3 && memcmp(kept.data, "ot=", 3) == 0)
            continue;
        do
            require(ftri_text_split(&before, ',', &old));
        while (!ftri_text_same(old, kept));
    }
}

static void write_th(ftr_str list, uint64_t threshold)
{
    char text[FTRI_TRACESTATE_MAX];
    const struct ftri_ot_state before = ftri_ot_read(list);
    const ftr_str after = {text, ftri_ot_write(list, threshold, text)};
    const struct ftri_ot_state now = ftri_ot_read(after);
    require_normal(after);
    require_same_others(list, after);
    require(!now.has_threshold || now.threshold == threshold);
    require(now.has_member == now.has_threshold);
    require(threshold < FTRI_THRESHOLD_NEVER || !now.has_member);
    require(!now.has_randomness || now.randomness == before.randomness);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[FTRI_TRACESTATE_MAX];
    size_t len = 0;
    if (!ftri_tracestate_read((ftr_str){(const char *)data, size}, text, &len))
        return 0;
    const ftr_str list = {text, len};
    require_normal(list);
    write_th(list, 0);
    write_th(list, UINT64_C(0xfd70a4));
    write_th(list, FTRI_THRESHOLD_NEVER);
    return 0;
}
