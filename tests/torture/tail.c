/* SPDX-License-Identifier: Apache-2.0
 *
 * Tail sampling: of 40 flows ten are kept for an error, one because it went to another process;
 * then the mode changes, and five more are exported unasked. */
#include "library.h"

#include <flowtrace/tail.h>

enum { FLOWS = 40, FAILED_EACH = 4, AFTER = 5, FLOW_SPANS = 2 };
enum { KEPT = FLOWS / FAILED_EACH + 1 + AFTER };

static void record_flow(bool fails, bool leaves)
{
    const ftr_span_options root = {.size = sizeof root, .name = FTR_STR("order"), .is_root = true};
    char text[FTR_STATE_TEXT_LEN + 1];
    const ftr_span order = ftr_span_start_with(&root);
    ftr_context here = ftr_span_context_of(order);
    const ftr_span pay = ftr_span_start(FTR_STR("pay"), FTR_KIND_CLIENT, &here);
    if (leaves)
        (void)ftr_state_text_format(&here, text);
    if (fails)
        ftr_span_set_status(pay, FTR_SPAN_ERROR, FTR_STR("no money"));
    ftr_span_end(pay);
    ftr_context_release(&here);
    ftr_span_end(order);
}

static void act(void)
{
    for (int i = 0; i < FLOWS; i++)
        record_flow(i % FAILED_EACH == 0, i == 1);
    ftr_set_mode(FTR_MODE_OFF); /* what waits is decided as it stands */
    record_flow(true, false);
    (void)ftr_flush(UINT64_C(60000000000));
    ftr_set_mode(FTR_MODE_FULL);
    for (int i = 0; i < AFTER; i++)
        record_flow(false, false);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    static ftr_tail_config tail;
    (void)exporters;
    tail = FTR_TAIL_CONFIG_INIT;
    tail.share = 0;
    config->tail = &tail;
    config->has_mode = true;
    config->mode = FTR_MODE_TAIL;
}

void torture_run(void)
{
    static const struct library_use use = {
        .configure = configure, .act = act, .n_delivered = (size_t)KEPT * FLOW_SPANS};
    library_run(&use);
}
