/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/exporters/lines.h"

#include "base/payload.h"
#include "codec/json_writer.h"
#include "engine/pdata.h"
#include "engine/records.h"
#include "otlp/json.h"

static void write_value(struct ftri_json_writer *json, const ftr_value *value);

static void write_array(struct ftri_json_writer *json, const ftr_value *value)
{
    ftri_json_begin_array(json);
    for (size_t i = 0; i < value->as.array.n_items; i++)
        write_value(json, &value->as.array.items[i]);
    ftri_json_end_array(json);
}

static void write_map(struct ftri_json_writer *json, const ftr_value *value)
{
    ftri_json_begin_object(json);
    for (size_t i = 0; i < value->as.map.n_items; i++) {
        ftri_json_name(json, value->as.map.items[i].key);
        write_value(json, &value->as.map.items[i].value);
    }
    ftri_json_end_object(json);
}

/* Recursion is bounded by the levels that records keep. */
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
    case FTR_VALUE_ARRAY:
        write_array(json, value);
        break;
    case FTR_VALUE_MAP:
        write_map(json, value);
        break;
    case FTR_VALUE_EMPTY:
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

static int write_records(const struct records *records, struct ftri_bytes *out)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < records->n_items; i++)
        r = write_line(&records->items[i], out);
    return r;
}

static int write_telemetry(ftr_signal signal, struct ftri_view otlp, struct ftri_bytes *out)
{
    const int r = signal == FTR_SIGNAL_LOGS      ? ftri_otlp_logs_to_json(otlp, out)
                  : signal == FTR_SIGNAL_METRICS ? ftri_otlp_metrics_to_json(otlp, out)
                                                 : ftri_otlp_traces_to_json(otlp, out);
    return r == 0 ? ftri_bytes_append_char(out, '\n') : r;
}

int lines_write(const struct pdata *pdata, struct ftri_bytes *out)
{
    const size_t before = out->len;
    const int r = pdata->records ? write_records(pdata->records, out)
                  : pdata->otlp
                      ? write_telemetry(pdata->signal, ftri_payload_view(pdata->otlp), out)
                      : 0;
    if (r < 0)
        out->len = before;
    return r;
}
