/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow of one batch through two nodes; the spans are written to stderr, one line each. */
#include <flowtrace/flowtrace.h>
#include <stdio.h>

int main(void)
{
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("first-flow");
    config.exporters = &console;
    config.n_exporters = 1;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "first_flow: %s\n", error.text);
        return 1;
    }
    ftr_node_options options = {.size = sizeof options,
                                .id = FTR_STR("in-1"),
                                .type = FTR_STR("receiver/demo"),
                                .kind = FTR_NODE_RECEIVER};
    ftr_node *source = ftr_node_new(&options);
    options.id = FTR_STR("out-1");
    options.type = FTR_STR("exporter/demo");
    options.kind = FTR_NODE_EXPORTER;
    ftr_node *sink = ftr_node_new(&options);

    ftr_visit visit;
    ftr_hop hop; /* goes with the batch, wherever that goes */
    ftr_visit_start(&visit, source, NULL, 0, NULL);
    ftr_span_set_str(ftr_visit_span(&visit), FTR_STR("file.name"), FTR_STR("today.csv"));
    ftr_visit_emit(&visit, FTR_STR("out"), 3, 120, &hop);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));

    ftr_visit_start(&visit, sink, &hop, 1, NULL);
    ftr_hop_release(&hop);
    ftr_visit_drop(&visit, FTR_DROP_DUPLICATE, 1);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));

    const ftr_status status = ftr_shutdown(1000000000); /* a second, in ns */
    ftr_node_free(source);
    ftr_node_free(sink);
    return status == FTR_OK ? 0 : 1;
}
