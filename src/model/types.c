/* SPDX-License-Identifier: Apache-2.0
 *
 * The public values: strings, identifiers, attribute values. Pure functions, any thread. */
#include <flowtrace/types.h>

#include "base/hex.h"

#include <string.h>

ftr_str ftr_str_from(const char *text)
{
    if (!text)
        return (ftr_str){"", 0};
    return (ftr_str){text, strlen(text)};
}

static bool has_nonzero(const uint8_t *bytes, size_t n)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < n; i++)
        seen |= bytes[i];
    return seen != 0;
}

bool ftr_trace_id_is_valid(const ftr_trace_id *id)
{
    return has_nonzero(id->bytes, sizeof id->bytes);
}

bool ftr_span_id_is_valid(const ftr_span_id *id)
{
    return has_nonzero(id->bytes, sizeof id->bytes);
}

void ftr_trace_id_format(const ftr_trace_id *id, char ret_text[33])
{
    ftri_hex_encode(id->bytes, sizeof id->bytes, ret_text);
    ret_text[32] = '\0';
}

void ftr_span_id_format(const ftr_span_id *id, char ret_text[17])
{
    ftri_hex_encode(id->bytes, sizeof id->bytes, ret_text);
    ret_text[16] = '\0';
}

extern inline ftr_value ftr_value_str(ftr_str text);
extern inline ftr_value ftr_value_bytes(const void *data, size_t len);
extern inline ftr_value ftr_value_bool(bool boolean);
extern inline ftr_value ftr_value_i64(int64_t number);
extern inline ftr_value ftr_value_f64(double number);
extern inline ftr_value ftr_value_array(const ftr_value *items, size_t n_items);
extern inline ftr_value ftr_value_map(const ftr_attribute *items, size_t n_items);
