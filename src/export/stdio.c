/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of text per span on stderr, for people:
 *
 *     2026-01-02T03:04:05.678901Z checkout 1.234 ms SERVER 4bf9...4736/00f0...02b7 < 53ce...
 * key=value
 *
 * Control characters are shown as \xNN. Called by its sender's thread alone. */
#include <flowtrace/exporter.h>

#include "base/bytes.h"
#include "base/file.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 * 1024, DEPTH_MAX = 16 };

static const char *const kinds[] = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                    "CLIENT",      "PRODUCER", "CONSUMER"};

static int put_text(struct ftri_bytes *line, ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const int rc = c < 0x20 || c == 0x7f ? ftri_bytes_printf(line, "\\x%02x", c)
                                             : ftri_bytes_append_char(line, (char)c);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put_attributes(struct ftri_bytes *line, const ftr_attribute *attributes, size_t n,
                          int depth);

static int put_value(struct ftri_bytes *line, const ftr_value *value, int depth)
{
    int rc = 0;
    if (depth == DEPTH_MAX)
        return ftri_bytes_append(line, "...", 3);
    switch (value->type) {
    case FTR_VALUE_STR:
        return put_text(line, value->as.str);
    case FTR_VALUE_BOOL:
        return ftri_bytes_printf(line, "%s", value->as.boolean ? "true" : "false");
    case FTR_VALUE_I64:
        return ftri_bytes_printf(line, "%" PRId64, value->as.i64);
    case FTR_VALUE_F64:
        return ftri_bytes_printf(line, "%.17g", value->as.f64);
    case FTR_VALUE_BYTES:
        return ftri_bytes_printf(line, "<%zu bytes>", value->as.str.len);
    case FTR_VALUE_ARRAY:
        rc = ftri_bytes_append(line, "[", 1);
        for (size_t i = 0; rc == 0 && i < value->as.array.n_items; i++) {
            rc = i > 0 ? ftri_bytes_append(line, " ", 1) : 0;
            if (rc == 0)
                rc = put_value(line, &value->as.array.items[i], depth + 1);
        }
        return rc == 0 ? ftri_bytes_append(line, "]", 1) : rc;
    case FTR_VALUE_MAP:
        rc = ftri_bytes_append(line, "{", 1);
        if (rc == 0)
            rc = put_attributes(line, value->as.map.items, value->as.map.n_items, depth + 1);
        return rc == 0 ? ftri_bytes_append(line, " }", 2) : rc;
    case FTR_VALUE_EMPTY:
        break;
    }
    return 0;
}

static int put_attributes(struct ftri_bytes *line, const ftr_attribute *attributes, size_t n,
                          int depth)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = ftri_bytes_append(line, " ", 1);
        if (rc == 0)
            rc = put_text(line, attributes[i].key);
        if (rc == 0)
            rc = ftri_bytes_append(line, "=", 1);
        if (rc == 0)
            rc = put_value(line, &attributes[i].value, depth);
    }
    return rc;
}

static int put_time(struct ftri_bytes *line, uint64_t ns)
{
    const time_t seconds = (time_t)(ns / UINT64_C(1000000000));
    struct tm utc;
    char text[32];
    if (!gmtime_r(&seconds, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        text[0] = '\0';
    return ftri_bytes_printf(line, "%s.%06uZ ", text, (unsigned)(ns / 1000 % 1000000));
}

static int put_ids(struct ftri_bytes *line, const ftr_span_data *span)
{
    char trace_id[33];
    char span_id[17];
    char parent_id[17];
    ftr_trace_id_format(&span->context.trace_id, trace_id);
    ftr_span_id_format(&span->context.span_id, span_id);
    ftr_span_id_format(&span->parent_span_id, parent_id);
    if (!ftr_span_id_is_valid(&span->parent_span_id))
        return ftri_bytes_printf(line, " %s/%s", trace_id, span_id);
    return ftri_bytes_printf(line, " %s/%s < %s", trace_id, span_id, parent_id);
}

static int put_status(struct ftri_bytes *line, const ftr_span_data *span)
{
    if (span->status == FTR_SPAN_UNSET)
        return 0;
    const int rc = ftri_bytes_printf(line, " %s", span->status == FTR_SPAN_OK ? "OK" : "ERROR");
    if (rc < 0 || span->status_description.len == 0)
        return rc;
    const int colon = ftri_bytes_append(line, ": ", 2);
    return colon < 0 ? colon : put_text(line, span->status_description);
}

static int put_duration(struct ftri_bytes *line, const ftr_span_data *span)
{
    if (span->end_time_ns == 0)
        return ftri_bytes_printf(line, " open");
    return ftri_bytes_printf(line, " %.6g ms",
                             (double)(span->end_time_ns - span->start_time_ns) / 1e6);
}

static int put_span(struct ftri_bytes *line, const ftr_span_data *span)
{
    const size_t kind = (size_t)span->kind < FTRI_COUNT(kinds) ? (size_t)span->kind : 0;
    int rc = put_time(line, span->start_time_ns);
    if (rc == 0)
        rc = put_text(line, span->name);
    if (rc == 0)
        rc = put_duration(line, span);
    if (rc == 0)
        rc = ftri_bytes_printf(line, " %s", kinds[kind]);
    if (rc == 0)
        rc = put_ids(line, span);
    if (rc == 0)
        rc = put_status(line, span);
    if (rc == 0)
        rc = put_attributes(line, span->attributes, span->n_attributes, 0);
    if (rc == 0 && span->n_events + span->n_links > 0)
        rc = ftri_bytes_printf(line, " (%zu events, %zu links)", span->n_events, span->n_links);
    return rc;
}

/* One write per span, so that lines of several processes do not mix. */
static bool write_span(struct ftri_bytes *line, const ftr_span_data *span)
{
    ftri_bytes_reset(line);
    const bool is_whole = put_span(line, span) == 0;
    if (!is_whole && line->len == 0)
        return false;
    if (ftri_bytes_append(line, "\n", 1) < 0)
        line->data[line->len - 1] = '\n';
    return ftri_file_write_all(STDERR_FILENO, line->data, line->len) == 0;
}

static void export_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    struct ftri_bytes line;
    ftri_bytes_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; i < batch->n_spans; i++) {
        if (write_span(&line, &batch->spans[i]))
            ret_result->n_delivered++;
        else
            ret_result->n_lost++;
    }
    ftri_bytes_deinit(&line);
}

/* As Prometheus reads it. */
static void export_metrics(void *instance, const ftr_metrics_batch *batch, uint64_t deadline_ns,
                           ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    if (ftri_file_write_all(STDERR_FILENO, (const uint8_t *)batch->text, batch->text_len) == 0)
        ret_result->n_delivered = batch->n_points;
    else
        ret_result->n_lost = batch->n_points;
}

static const ftr_exporter_class stdio_class = {
    .size = sizeof stdio_class,
    .name = "stdio",
    .form = FTR_EXPORT_SPANS,
    .export_batch = export_batch,
    .export_metrics = export_metrics,
};

ftr_exporter *ftr_stdio_exporter_new(void)
{
    return ftr_exporter_new(&stdio_class, NULL);
}
