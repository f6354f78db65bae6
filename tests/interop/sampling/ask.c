/* SPDX-License-Identifier: Apache-2.0
 *
 * sampling-ask: a program whose sampler is what the environment names. Reads lines from standard
 * input and answers with JSON objects, one a line; diagnostics come in between, as they are said.
 *
 *     roots NAME N            starts N traces: {"roots": [[TRACE_ID, is taken], ...]}
 *     below TRACEPARENT N     starts N spans below a remote parent: {"below": how many are taken}
 *     fork NAME N             the same as roots in a child, which then shuts down: {"child": its
 *                             exit status}; 0: all were taken, 1: none, 2: some, 9: no shutdown
 *
 * At the end of the input it shuts down: {"shutdown": status}. */
#include <flowtrace/exporter.h>
#include <flowtrace/jaeger.h>
#include <flowtrace/propagation.h>
#include <flowtrace/span.h>
#include <flowtrace/tracing.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t PATIENCE_NS = UINT64_C(60000000000);

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void on_diagnostic(void *argument, const char *text)
{
    (void)argument;
    pthread_mutex_lock(&output);
    printf("{\"diagnostic\":\"");
    for (; *text; text++)
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    printf("\"}\n");
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static void print_id(const ftr_span *span, bool is_taken, bool is_first)
{
    ftr_context context = ftr_span_context_of(*span);
    printf("%s[\"", is_first ? "" : ",");
    for (size_t i = 0; i < sizeof context.span.trace_id.bytes; i++)
        printf("%02x", context.span.trace_id.bytes[i]);
    printf("\",%s]", is_taken ? "true" : "false");
    ftr_context_release(&context);
}

static int start_roots(const char *name, int n, bool prints)
{
    int n_taken = 0;
    for (int i = 0; i < n; i++) {
        const ftr_span span = ftr_span_start(ftr_str_from(name), FTR_KIND_SERVER, NULL);
        const bool is_taken = ftr_span_is_recording(span);
        n_taken += is_taken;
        if (prints)
            print_id(&span, is_taken, i == 0);
        ftr_span_end(span);
    }
    return n_taken;
}

static void answer_roots(const char *name, int n)
{
    pthread_mutex_lock(&output);
    printf("{\"roots\":[");
    (void)start_roots(name, n, true);
    printf("]}\n");
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static void answer_below(const char *traceparent, int n)
{
    ftr_field room[1] = {{FTR_STR("traceparent"), ftr_str_from(traceparent)}};
    ftr_field_list list = {.fields = room, .n_fields = 1};
    ftr_context parent = ftr_extract(&ftr_map_carrier, &list);
    int n_taken = 0;
    for (int i = 0; i < n; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("below"), FTR_KIND_SERVER, &parent);
        n_taken += ftr_span_is_recording(span);
        ftr_span_end(span);
    }
    ftr_context_release(&parent);
    pthread_mutex_lock(&output);
    printf("{\"below\":%d}\n", n_taken);
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static int live_in_child(const char *name, int n)
{
    const int n_taken = start_roots(name, n, false);
    if (ftr_shutdown(PATIENCE_NS) != FTR_OK)
        return 9;
    return n_taken == n ? 0 : n_taken == 0 ? 1 : 2;
}

static void answer_fork(const char *name, int n)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0)
        _exit(live_in_child(name, n));
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(3);
    pthread_mutex_lock(&output);
    printf("{\"child\":%d}\n", WIFEXITED(status) ? WEXITSTATUS(status) : 100);
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static bool answer(const char *line)
{
    char word[16], name[128];
    int n = 0;
    if (sscanf(line, "%15s %127s %d", word, name, &n) != 3)
        return false;
    if (strcmp(word, "roots") == 0)
        answer_roots(name, n);
    else if (strcmp(word, "below") == 0)
        answer_below(name, n);
    else if (strcmp(word, "fork") == 0)
        answer_fork(name, n);
    else
        return false;
    return true;
}

int main(void)
{
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = spans ? ftr_memory_exporter_new(spans) : NULL;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_error error = {FTR_OK, ""};
    char line[256];
    if (!exporter)
        return 2;
    config.service_name = FTR_STR("checkout");
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.remote_sampler = ftr_jaeger_sampler_new;
    config.on_diagnostic = on_diagnostic;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    while (fgets(line, sizeof line, stdin))
        if (!answer(line))
            return 2;
    const ftr_status status = ftr_shutdown(PATIENCE_NS);
    printf("{\"shutdown\":%d}\n", (int)status);
    ftr_memory_spans_unref(spans);
    return status == FTR_OK ? 0 : 1;
}
