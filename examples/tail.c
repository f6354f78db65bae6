/* SPDX-License-Identifier: Apache-2.0
 *
 * Only what is worth it: everything is recorded, and when a flow has ended it is exported whole, or
 * not at all. Here those with an error, and those of one customer; the shutdown decides the rest.
 */
#include <flowtrace/flowtrace.h>
#include <stdio.h>

/* One order is one flow: a root and two steps. */
static void handle_order(int number, const char *customer, bool is_paid)
{
    const ftr_span order = ftr_span_start(FTR_STR("order"), FTR_KIND_SERVER, NULL);
    ftr_span_set_i64(order, FTR_STR("number"), number);
    ftr_span_set_text(order, FTR_STR("customer"), customer);
    ftr_context context = ftr_span_context_of(order);
    const ftr_attachment attachment = ftr_attach(&context);
    const ftr_span check = ftr_span_start(FTR_STR("check payment"), FTR_KIND_CLIENT, NULL);
    if (!is_paid)
        ftr_span_set_status(check, FTR_SPAN_ERROR, FTR_STR("not paid"));
    ftr_span_end(check);
    ftr_span_end(ftr_span_start(FTR_STR("pack"), FTR_KIND_INTERNAL, NULL));
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(order);
}

static void print(ftr_memory_spans *spans)
{
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        printf("%.*s%s\n", (int)span.name.len, span.name.data,
               span.status == FTR_SPAN_ERROR ? ": failed" : "");
}

int main(void)
{
    const ftr_tail_attribute gold = {FTR_STR("customer"), FTR_STR("gold")};
    ftr_tail_config tail = FTR_TAIL_CONFIG_INIT;
    tail.attributes = &gold;
    tail.n_attributes = 1;
    tail.share = 0; /* of the others: none */

    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.has_mode = true;
    config.mode = FTR_MODE_TAIL;
    config.tail = &tail;
    config.exporters = &exporter;
    config.n_exporters = 1;
    if (!exporter || ftr_init(&config, NULL) != FTR_OK)
        return 1;
    for (int number = 0; number < 100; number++)
        handle_order(number, number == 17 ? "gold" : "silver", number != 42);
    const ftr_status status = ftr_shutdown(10000000000);

    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    print(spans);
    printf("%llu flows for an error, %llu for an attribute; %llu spans left out\n",
           (unsigned long long)statistics.tail_kept[FTR_TAIL_ERROR],
           (unsigned long long)statistics.tail_kept[FTR_TAIL_ATTRIBUTE],
           (unsigned long long)statistics.sampled_out);
    ftr_memory_spans_unref(spans);
    return status == FTR_OK ? 0 : 1;
}
