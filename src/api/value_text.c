/* SPDX-License-Identifier: Apache-2.0 */
#include "api/value_text.h"

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "otlp/view.h"

static void write_value(struct ftri_json_writer *json, struct ftri_view any_value);

/* Nesting is bounded by the check of what was received. */
static void write_list(struct ftri_json_writer *json, struct ftri_view any_value, bool is_map)
{
    const struct ftri_view list = ftri_otlp_value_list(any_value);
    struct ftri_otlp_attribute element;
    if (is_map)
        ftri_json_begin_object(json);
    else
        ftri_json_begin_array(json);
    for (size_t next = 0; ftri_otlp_element_next(list, is_map, &next, &element);) {
        if (is_map)
            ftri_json_name(json, element.key);
        write_value(json, element.value);
    }
    if (is_map)
        ftri_json_end_object(json);
    else
        ftri_json_end_array(json);
}

static void write_value(struct ftri_json_writer *json, struct ftri_view any_value)
{
    const ftr_value value = ftri_otlp_value_read(any_value);
    switch (value.type) {
    case FTR_VALUE_EMPTY:
        ftri_json_null(json);
        break;
    case FTR_VALUE_STR:
        ftri_json_str(json, value.as.str);
        break;
    case FTR_VALUE_BOOL:
        ftri_json_bool(json, value.as.boolean);
        break;
    case FTR_VALUE_I64:
        ftri_json_i64(json, value.as.i64);
        break;
    case FTR_VALUE_F64:
        ftri_json_f64(json, value.as.f64, FTRI_JSON_NONFINITE_TEXT);
        break;
    case FTR_VALUE_BYTES:
        ftri_json_base64(json, ftri_view_of(value.as.str.data, value.as.str.len));
        break;
    case FTR_VALUE_ARRAY:
    case FTR_VALUE_MAP:
        write_list(json, any_value, value.type == FTR_VALUE_MAP);
        break;
    }
}

int value_text(struct ftri_view any_value, struct ftri_bytes *out)
{
    const ftr_value value = ftri_otlp_value_read(any_value);
    if (value.type == FTR_VALUE_EMPTY)
        return 0;
    if (value.type == FTR_VALUE_STR)
        return ftri_bytes_append_str(out, value.as.str);
    if (value.type == FTR_VALUE_BYTES)
        return ftri_base64_encode(ftri_view_of(value.as.str.data, value.as.str.len), out);
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    write_value(&json, any_value);
    return ftri_json_writer_status(&json);
}
