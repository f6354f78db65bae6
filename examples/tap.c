/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading along: the program records, and prints its own spans as they end. No exporter, no
 * collector. */
#include <flowtrace/flowtrace.h>
#include <stdio.h>

static void work(void)
{
    const ftr_span parse = ftr_span_start(FTR_STR("parse"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(parse);
    const ftr_span read = ftr_span_start(FTR_STR("read"), FTR_KIND_CLIENT, &context);
    ftr_span_set_i64(read, FTR_STR("rows"), 3);
    ftr_span_end(read);
    ftr_context_release(&context);
    ftr_span_end(parse);
}

int main(void)
{
    if (ftr_init(NULL, NULL) != FTR_OK)
        return 1;
    ftr_tap *tap = ftr_tap_new();
    if (!tap)
        return 1;
    work();
    const ftr_status status = ftr_shutdown(1000000000);
    ftr_span_data span;
    while (ftr_tap_next(tap, 0, &span) == FTR_OK) {
        char trace_id[33];
        ftr_trace_id_format(&span.context.trace_id, trace_id);
        printf("%s %.*s: %zu attributes\n", trace_id, (int)span.name.len, span.name.data,
               span.n_attributes);
    }
    printf("%llu lost\n", (unsigned long long)ftr_tap_n_lost(tap));
    ftr_tap_free(tap);
    return status == FTR_OK ? 0 : 1;
}
