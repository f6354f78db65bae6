/* SPDX-License-Identifier: Apache-2.0
 *
 * Live spans as Chrome trace events ("Trace Event Format", JSON array form). All spans of a trace
 * are on one track, on which begins and ends nest since all ends are the same. */
#include "base/time.h"
#include "codec/json_writer.h"
#include "trace/live.h"
#include "trace/thread.h"

#include <stdio.h>
#include <string.h>

#define EVENT_BYTES ((size_t)1 << 30)

struct dump {
    ftr_live_sink *sink;
    void *argument;
    struct ftri_bytes text; /* of one span */
    uint64_t started_ns;
    uint64_t now_ns;
    bool has_stopped;
    bool lacked_memory;
};

static void write_common(struct ftri_json_writer *writer, ftr_str name, const char *phase,
                         double ts_us)
{
    ftri_json_begin_object(writer);
    ftri_json_name(writer, FTR_STR("pid"));
    ftri_json_i64(writer, 1);
    ftri_json_name(writer, FTR_STR("name"));
    ftri_json_str(writer, name);
    ftri_json_name(writer, FTR_STR("cat"));
    ftri_json_str(writer, FTR_STR(""));
    ftri_json_name(writer, FTR_STR("ph"));
    ftri_json_str(writer, ftr_str_from(phase));
    ftri_json_name(writer, FTR_STR("ts"));
    ftri_json_f64(writer, ts_us, FTRI_JSON_NONFINITE_NULL);
}

static void write_hex(struct ftri_json_writer *writer, ftr_str name, const uint8_t *bytes,
                      size_t len)
{
    ftri_json_name(writer, name);
    ftri_json_hex(writer, ftri_view_of(bytes, len));
}

static void write_event(struct ftri_json_writer *writer, const ftr_span_data *span,
                        const char *phase, double ts_us)
{
    const ftr_trace_id *trace_id = &span->context.trace_id;
    uint32_t track;
    memcpy(&track, trace_id->bytes + sizeof *trace_id - sizeof track, sizeof track);
    write_common(writer, span->name, phase, ts_us);
    ftri_json_name(writer, FTR_STR("tid"));
    ftri_json_i64(writer, (int64_t)(track & INT32_MAX));
    write_hex(writer, FTR_STR("id"), trace_id->bytes, sizeof trace_id->bytes);
    ftri_json_name(writer, FTR_STR("args"));
    ftri_json_begin_object(writer);
    write_hex(writer, FTR_STR("span_id"), span->context.span_id.bytes, sizeof(ftr_span_id));
    if (ftr_span_id_is_valid(&span->parent_span_id))
        write_hex(writer, FTR_STR("parent_span_id"), span->parent_span_id.bytes,
                  sizeof(ftr_span_id));
    ftri_json_end_object(writer);
    ftri_json_end_object(writer);
}

static double since_start_us(const struct dump *self, uint64_t time_ns)
{
    return (double)(int64_t)(time_ns - self->started_ns) / (double)FTRI_NS_PER_US;
}

/* What was written of one span, with a comma behind it; nothing of it when memory was short. */
static bool pass_on(struct dump *self, const struct ftri_json_writer *writer)
{
    if (ftri_json_writer_status(writer) < 0 || ftri_bytes_append_char(&self->text, ',') < 0)
        self->lacked_memory = true;
    else
        self->has_stopped =
            !self->sink(self->argument, (const char *)self->text.data, self->text.len);
    ftri_bytes_reset(&self->text);
    return !self->has_stopped;
}

static bool write_span(void *argument, const ftr_span_data *span)
{
    struct dump *self = argument;
    struct ftri_json_writer writer;
    const uint64_t start_ns =
        span->start_time_ns < self->now_ns ? span->start_time_ns : self->now_ns;
    ftri_json_writer_init(&writer, &self->text);
    write_event(&writer, span, "B", since_start_us(self, start_ns));
    write_event(&writer, span, "E", since_start_us(self, self->now_ns));
    return pass_on(self, &writer);
}

/* Small enough for the caller's stack: this one is never left out. */
static bool write_end(struct dump *self)
{
    char text[160];
    const int len =
        snprintf(text, sizeof text,
                 "{\"pid\":1,\"name\":\"Trace dump requested\",\"cat\":\"\",\"ph\":\"i\","
                 "\"ts\":%lld,\"s\":\"g\"}]\n",
                 (long long)since_start_us(self, self->now_ns));
    return self->sink(self->argument, text, (size_t)len);
}

ftr_status ftr_live_write_chrome(ftr_live_sink *sink, void *argument)
{
    struct dump dump = {.sink = sink, .argument = argument, .now_ns = ftri_time_wall_ns()};
    if (atomic_load(&ftri_session) == 0)
        return FTR_ERR_STATE;
    dump.started_ns = ftri_thread_settings.started_ns;
    if (!sink(argument, "[", 1))
        return FTR_ERR_IO;
    ftri_bytes_init(&dump.text, EVENT_BYTES);
    const ftr_status status = ftr_live_spans(write_span, &dump);
    ftri_bytes_deinit(&dump.text);
    if (dump.has_stopped || !write_end(&dump))
        return FTR_ERR_IO;
    return dump.lacked_memory ? FTR_ERR_MEMORY : status;
}
