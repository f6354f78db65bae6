/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/ot_state.h"

#include "base/text.h"
#include "context/tracestate.h"
#include "sampling/threshold.h"

#include <string.h>

enum { OT_MAX = 256, KEY_LEN = 3 };

#define OT FTR_STR("ot")

static bool is_entry(ftr_str entry, const char key[KEY_LEN + 1])
{
    return entry.len >= KEY_LEN && memcmp(entry.data, key, KEY_LEN) == 0;
}

static ftr_str value_of(ftr_str entry)
{
    return (ftr_str){entry.data + KEY_LEN, entry.len - KEY_LEN};
}

struct ftri_ot_state ftri_ot_read(ftr_str tracestate)
{
    struct ftri_ot_state self = {0};
    if (tracestate.len == 0) /* most new traces */
        return self;
    ftr_str rest = ftri_tracestate_find(tracestate, OT);
    for (ftr_str entry; ftri_text_split(&rest, ';', &entry);) {
        if (is_entry(entry, "th:")) {
            self.has_member = true;
            self.has_threshold = ftri_threshold_parse(value_of(entry), &self.threshold);
        } else if (is_entry(entry, "rv:")) {
            self.has_randomness = ftri_randomness_parse(value_of(entry), &self.randomness);
        }
    }
    return self;
}

uint64_t ftri_ot_randomness(const struct ftri_ot_state *self, const ftr_trace_id *id)
{
    return self->has_randomness ? self->randomness : ftri_randomness_of(id);
}

/* The entries but th, with a semicolon before each. */
static size_t copy_others(ftr_str value, char ret_text[OT_MAX + 1])
{
    size_t len = 0;
    for (ftr_str entry; ftri_text_split(&value, ';', &entry);) {
        if (is_entry(entry, "th:"))
            continue;
        ret_text[len++] = ';';
        memcpy(ret_text + len, entry.data, entry.len);
        len += entry.len;
    }
    while (len > 0 && ret_text[len - 1] == ' ') /* th stood behind it; no value ends with one */
        len--;
    return len;
}

size_t ftri_ot_write(ftr_str tracestate, uint64_t threshold, char *ret_text)
{
    char room[KEY_LEN + FTRI_THRESHOLD_DIGITS + OT_MAX + 1] = "th:";
    char *const others = room + KEY_LEN + FTRI_THRESHOLD_DIGITS;
    ftr_str old = ftri_tracestate_find(tracestate, OT);
    old.len = ftri_size_min(old.len, OT_MAX); /* tracestate.h holds values to it */
    const size_t n_others = copy_others(old, others);
    const size_t n_digits = ftri_threshold_format(threshold, room + KEY_LEN);
    const bool is_written =
        threshold < FTRI_THRESHOLD_NEVER && KEY_LEN + n_digits + n_others <= OT_MAX;
    ftr_str ot = {others + 1, n_others ? n_others - 1 : 0};
    if (is_written) {
        memmove(room + KEY_LEN + n_digits, others, n_others);
        ot = (ftr_str){room, KEY_LEN + n_digits + n_others};
    }
    return ftri_tracestate_put(tracestate, OT, ot, ret_text);
}
