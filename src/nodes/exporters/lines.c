/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/exporters/lines.h"

#include "base/bytes.h"
#include "codec/json_writer.h"
#include "engine/records.h"

static void write_value(struct ftri_json_writer *json, const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        ftri_json_str(json, value->as.str);
        break;
    case FTR_VALUE_BYTES:
        ftri_json_base64(json, ftri_view_of(value->as.str.data, value->as.str.len));
        break;
    case FTR_VALUE_BOOL:
        ftri_json_bool(json, value->as.boolean);
        break;
    case FTR_VALUE_I64:
        ftri_json_i64(json, value->as.i64);
        break;
    case FTR_VALUE_F64:
        ftri_json_f64(json, value->as.f64, FTRI_JSON_NONFINITE_NULL);
        break;
    case FTR_VALUE_EMPTY:
    case FTR_VALUE_ARRAY: /* records carry scalars only */
    case FTR_VALUE_MAP:
        ftri_json_null(json);
        break;
    }
}

static int write_line(const struct record *record, struct ftri_bytes *out)
{
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("key"));
    ftri_json_str(&json, record->key);
    for (size_t i = 0; i < record->n_attributes; i++) {
        ftri_json_name(&json, record->attributes[i].key);
        write_value(&json, &record->attributes[i].value);
    }
    if (record->value.len) {
        ftri_json_name(&json, FTR_STR("value"));
        ftri_json_str(&json, record->value);
    }
    ftri_json_end_object(&json);
    const int r = ftri_json_writer_status(&json);
    return r == 0 ? ftri_bytes_append_char(out, '\n') : r;
}

int lines_write(const struct records *records, struct ftri_bytes *out)
{
    const size_t before = out->len;
    for (size_t i = 0; i < records->n_items; i++) {
        const int r = write_line(&records->items[i], out);
        if (r < 0) {
            out->len = before;
            return r;
        }
    }
    return 0;
}
