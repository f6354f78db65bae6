/* SPDX-License-Identifier: Apache-2.0
 *
 * User spans over the wire, as lines on standard input say:
 *
 *     root NAME ROUTING [TRACEPARENT]   a root that becomes current
 *     dual NAME                         a span in each pipeline that becomes current
 *     set KEY VALUE                     on the current user span
 *     end                               what became current last
 *     spans N                           N more user spans below the current one
 *     flush MS | shutdown MS | statistics
 *
 * Each line is answered with one: `ok`, `timeout`, a traceparent, or the accounts as key=value.
 * user-send SOCKET [tasks N] [timeout MS] [queue N] [bytes N] [batch N] [header NAME] */
#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

static struct {
    ftr_dual_span span;
    ftr_attachment attachment;
} open_spans[DEPTH_MAX];
static int depth;
static ftr_memory_spans *system_spans;

static void enter(ftr_dual_span span)
{
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_context context =
        span.system.generation ? ftr_dual_span_context_of(span) : ftr_span_context_of(span.user);
    open_spans[depth].span = span;
    open_spans[depth].attachment = ftr_attach(&context);
    ftr_context_release(&context);
    depth++;
    puts(ftr_user_traceparent(text) ? text : "none");
}

static void start_root(const char *name, const char *routing_text, const char *inbound_text)
{
    const ftr_str text = ftr_str_from(routing_text);
    const ftr_routing routing = ftr_text_routing_of(&text);
    ftr_span_context inbound;
    const bool has_inbound = ftr_user_traceparent_parse(ftr_str_from(inbound_text), &inbound);
    const ftr_dual_span root = {
        .user = ftr_user_trace_start(ftr_str_from(name), &routing, has_inbound ? &inbound : NULL)};
    enter(root);
}

static void leave(void)
{
    depth--;
    ftr_detach(open_spans[depth].attachment);
    ftr_dual_span_end(open_spans[depth].span);
    puts("ok");
}

static void send_spans(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(ftr_user_span_start(FTR_STR("one of many"), FTR_KIND_INTERNAL, NULL));
    puts("ok");
}

static void write_statistics(void)
{
    ftr_statistics users = {.size = sizeof users};
    ftr_exporter_statistics sum = {NULL, 0, 0, 0, 0, 0};
    ftr_get_user_statistics(&users);
    for (size_t i = 0; i < users.n_exporters; i++) {
        sum.delivered += users.exporters[i].delivered;
        sum.rejected += users.exporters[i].rejected;
        sum.lost_queue_full += users.exporters[i].lost_queue_full;
        sum.lost_export += users.exporters[i].lost_export;
        sum.queued += users.exporters[i].queued;
    }
    printf("started=%" PRIu64 " recorded=%" PRIu64 " delivered=%" PRIu64 " rejected=%" PRIu64
           " lost_queue_full=%" PRIu64 " lost_export=%" PRIu64 " queued=%" PRIu64
           " lost_no_routing=%" PRIu64 " roots_refused=%" PRIu64 " system=%zu\n",
           users.started, users.recorded, sum.delivered, sum.rejected, sum.lost_queue_full,
           sum.lost_export, sum.queued, users.lost_no_routing, users.roots_dropped,
           ftr_memory_spans_count(system_spans));
}

static const char *answer_of(ftr_status status)
{
    return status == FTR_OK ? "ok" : status == FTR_ERR_TIMEOUT ? "timeout" : "failed";
}

static uint64_t ns_of(const char *ms)
{
    return strtoull(ms, NULL, 10) * 1000000;
}

static void run(char *line)
{
    char *rest = NULL;
    const char *command = strtok_r(line, "\t\n", &rest);
    const char *first = strtok_r(NULL, "\t\n", &rest);
    const char *second = strtok_r(NULL, "\t\n", &rest);
    const char *third = strtok_r(NULL, "\t\n", &rest);
    if (strcmp(command, "root") == 0)
        start_root(first, second, third ? third : "");
    else if (strcmp(command, "dual") == 0)
        enter(ftr_dual_span_start(ftr_str_from(first), FTR_KIND_INTERNAL, NULL));
    else if (strcmp(command, "set") == 0)
        ftr_span_set_text(open_spans[depth - 1].span.user, ftr_str_from(first), second), puts("ok");
    else if (strcmp(command, "end") == 0)
        leave();
    else if (strcmp(command, "spans") == 0)
        send_spans((int)strtol(first, NULL, 10));
    else if (strcmp(command, "flush") == 0)
        puts(answer_of(ftr_flush(ns_of(first))));
    else if (strcmp(command, "shutdown") == 0)
        puts(answer_of(ftr_shutdown(ns_of(first))));
    else
        write_statistics();
    fflush(stdout);
}

static void take_option(ftr_user_config *user, const char *name, const char *value)
{
    const uint32_t number = (uint32_t)strtoul(value, NULL, 10);
    if (strcmp(name, "tasks") == 0)
        user->tasks = number;
    else if (strcmp(name, "timeout") == 0)
        user->timeout_ms = number;
    else if (strcmp(name, "queue") == 0)
        user->queue_spans = number;
    else if (strcmp(name, "bytes") == 0)
        user->queue_bytes = number;
    else if (strcmp(name, "batch") == 0)
        user->batch_spans = number;
    else
        user->routing_header = ftr_str_from(value);
}

int main(int argc, char **argv)
{
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_error error;
    char line[16384];
    user.is_enabled = true;
    user.socket_path = ftr_str_from(argv[1]);
    user.otlp_exporter = ftr_otlp_user_exporter_new;
    for (int i = 2; i + 1 < argc; i += 2)
        take_option(&user, argv[i], argv[i + 1]);
    system_spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(system_spans);
    config.service_name = FTR_STR("edge");
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.user = &user;
    config.batch_delay_ms = 20;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "%s\n", error.text);
        ftr_exporter_free(exporter);
        ftr_memory_spans_unref(system_spans);
        return 2;
    }
    while (fgets(line, sizeof line, stdin))
        run(line);
    (void)ftr_shutdown(UINT64_C(5000000000));
    ftr_memory_spans_unref(system_spans);
    return 0;
}
