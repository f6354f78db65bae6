/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_stdout.h"

#include "base/bytes.h"
#include "base/file.h"
#include "otlp/json.h"

#include <flowtrace/exporter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 256 << 20 };

static void fail(ftr_export_result *ret_result, size_t n_spans, const char *why)
{
    ret_result->n_lost = n_spans;
    snprintf(ret_result->text, sizeof ret_result->text, "%s", why);
}

/* A line is written in one piece as long as the pipe takes it. */
static void export_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    struct ftri_bytes line;
    ftri_bytes_init(&line, LINE_MAX_BYTES);
    int r = ftri_otlp_traces_to_json(ftri_view_of(batch->otlp, batch->otlp_len), &line);
    if (r == 0)
        r = ftri_bytes_append(&line, "\n", 1);
    if (r < 0)
        fail(ret_result, batch->n_spans, "memory is short");
    else if (ftri_file_write_all(STDOUT_FILENO, line.data, line.len) < 0)
        fail(ret_result, batch->n_spans, "standard output cannot be written");
    else
        ret_result->n_delivered = batch->n_spans;
    ftri_bytes_deinit(&line);
}

const ftr_exporter_class *ftri_otlp_stdout_class(void)
{
    static const ftr_exporter_class stdout_class = {
        .size = sizeof stdout_class,
        .name = "otlp/stdout",
        .form = FTR_EXPORT_OTLP,
        .export_batch = export_batch,
    };
    return &stdout_class;
}
