/* SPDX-License-Identifier: Apache-2.0
 *
 * Traces that fork off, a new trace that names the current span, contexts with inherited fields and
 * a finish callback on another thread: each span is of its trace, also when a field is missing. */
#include "library.h"

#include <pthread.h>

enum { ROUNDS = 20, EACH = 6 }; /* request, two markers, forked, linked, work */

static _Atomic size_t n_finished;

static void on_finish(void *state, ftr_span span)
{
    (void)state;
    ftr_span_set_bool(span, FTR_STR("finished"), true);
    n_finished++;
}

static void *work(void *argument)
{
    const ftr_context *context = argument;
    const ftr_attachment attachment = ftr_attach(context);
    ftr_span_end(ftr_span_start(FTR_STR("work"), FTR_KIND_INTERNAL, NULL));
    ftr_detach(attachment);
    return NULL;
}

static void start_new_traces(void)
{
    const ftr_span_options linked = {
        .size = sizeof linked, .name = FTR_STR("linked"), .is_root = true, .is_linked = true};
    ftr_span_end(ftr_span_fork(FTR_STR("forked"), FTR_KIND_INTERNAL, NULL));
    ftr_span_end(ftr_span_start_with(&linked));
}

static void handle_request(void)
{
    const ftr_value job = ftr_value_str(FTR_STR("nightly"));
    const ftr_span request = ftr_span_start(FTR_STR("request"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(request);
    (void)ftr_context_set_field(&context, FTR_STR("job_id"), &job);
    (void)ftr_context_set_finish_callback(&context, on_finish, NULL);
    const ftr_attachment attachment = ftr_attach(&context);
    start_new_traces();
    ftr_detach(attachment);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, work, &context) == 0);
    pthread_join(thread, NULL);
    ftr_context_release(&context);
    ftr_span_end(request);
}

static void act(void)
{
    n_finished = 0;
    for (int i = 0; i < ROUNDS; i++)
        handle_request();
}

static void check(const struct library *self, bool is_whole)
{
    EXPECT(self->status != FTR_OK || self->statistics.started <= ROUNDS * EACH);
    EXPECT(!is_whole || n_finished == ROUNDS * (EACH - 1)); /* all but the request's own */
}

void torture_run(void)
{
    static const struct library_use use = {
        .act = act, .check = check, .n_delivered = ROUNDS * EACH};
    library_run(&use);
}
