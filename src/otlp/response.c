/* SPDX-License-Identifier: Apache-2.0
 *
 *   Export{Trace,Logs,Metrics}ServiceResponse: partial_success 1 { rejected_{spans,log_records,
 *   data_points} 1, error_message 2 }
 *   google.rpc.Status: code 1, message 2 */
#include "otlp/response.h"

#include "codec/json_writer.h"
#include "codec/utf8.h"
#include "codec/wire.h"

/* A text field; bytes of no character become U+FFFD, so that every reader takes the message. */
static int put_text(struct ftri_bytes *out, uint32_t number, ftr_str text)
{
    const size_t size = ftri_utf8_repaired_size(text);
    if (size == 0)
        return 0;
    int r = ftri_wire_put_header(out, number, size);
    if (r == 0)
        r = ftri_bytes_reserve(out, size);
    if (r < 0)
        return r;
    ftri_utf8_repair(text, (char *)out->data + out->len);
    out->len += size;
    return 0;
}

static bool is_empty(const struct ftri_otlp_partial_success *partial)
{
    return partial->n_rejected == 0 && partial->message.len == 0;
}

int ftri_otlp_response_to_bytes(const struct ftri_otlp_partial_success *partial,
                                struct ftri_bytes *out)
{
    if (is_empty(partial))
        return 0;
    size_t mark;
    int r = ftri_wire_begin(out, 1, &mark);
    if (r == 0 && partial->n_rejected)
        r = ftri_wire_put_varint(out, 1, partial->n_rejected);
    if (r == 0)
        r = put_text(out, 2, partial->message);
    return r < 0 ? r : ftri_wire_end(out, mark);
}

int ftri_otlp_response_to_json(const struct ftri_otlp_partial_success *partial,
                               ftr_str rejected_name, struct ftri_bytes *out)
{
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    if (!is_empty(partial)) {
        ftri_json_name(&json, FTR_STR("partialSuccess"));
        ftri_json_begin_object(&json);
        if (partial->n_rejected) {
            ftri_json_name(&json, rejected_name);
            ftri_json_u64_text(&json, partial->n_rejected);
        }
        if (partial->message.len) {
            ftri_json_name(&json, FTR_STR("errorMessage"));
            ftri_json_str(&json, partial->message);
        }
        ftri_json_end_object(&json);
    }
    ftri_json_end_object(&json);
    return ftri_json_writer_status(&json);
}

int ftri_otlp_status_to_bytes(int32_t code, ftr_str message, struct ftri_bytes *out)
{
    const int r = code ? ftri_wire_put_varint(out, 1, (uint64_t)(int64_t)code) : 0;
    return r < 0 ? r : put_text(out, 2, message);
}

int ftri_otlp_status_to_json(int32_t code, ftr_str message, struct ftri_bytes *out)
{
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("code"));
    ftri_json_i64(&json, code);
    ftri_json_name(&json, FTR_STR("message"));
    ftri_json_str(&json, message);
    ftri_json_end_object(&json);
    return ftri_json_writer_status(&json);
}
