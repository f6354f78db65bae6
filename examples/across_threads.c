/* SPDX-License-Identifier: Apache-2.0
 *
 * One trace over several threads: tasks carry the context they were made in, a span is started on
 * one thread and ended on another, and a field set once is on every span below. The spans are
 * written to stderr, one line each. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/scope.h>
#include <pthread.h>
#include <stdio.h>

enum { TASKS = 3 };

struct task {
    int number;
    ftr_context context; /* where it belongs */
    ftr_span waiting;    /* from when it was made until it is run */
};

static void *run(void *argument)
{
    struct task *task = argument;
    ftr_span_end(task->waiting);
    FTR_ATTACHED(here, &task->context); /* what this thread does now belongs to the job */
    FTR_SPAN(running, "run task");
    FTR_SPAN_SET(running, "task_id", task->number);
    ftr_context_release(&task->context); /* the attachment holds its own */
    return NULL;
}

static bool run_job(const char *job_id)
{
    FTR_SPAN(job, "job");
    ftr_context context = ftr_context_current();
    const ftr_value id = ftr_value_str(ftr_str_from(job_id));
    bool is_done = ftr_context_set_field(&context, FTR_STR("job_id"), &id);
    struct task tasks[TASKS];
    pthread_t threads[TASKS];
    int n = 0;
    for (; n < TASKS; n++) {
        tasks[n] = (struct task){n, ftr_context_copy(&context),
                                 ftr_span_start(FTR_STR("wait"), FTR_KIND_INTERNAL, &context)};
        if (pthread_create(&threads[n], NULL, run, &tasks[n]) != 0) {
            ftr_span_end(tasks[n].waiting);
            ftr_context_release(&tasks[n].context);
            is_done = false;
            break;
        }
    }
    ftr_context_release(&context);
    while (n-- > 0)
        is_done = pthread_join(threads[n], NULL) == 0 && is_done;
    return is_done;
}

int main(void)
{
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("across-threads");
    config.exporters = &console;
    config.n_exporters = 1;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "across_threads: %s\n", error.text);
        return 1;
    }
    const bool is_done = run_job("nightly-7");
    const ftr_status status = ftr_shutdown(1000000000); /* a second, in ns */
    return is_done && status == FTR_OK ? 0 : 1;
}
