/* SPDX-License-Identifier: Apache-2.0
 *
 * otlp-send SPANS FLUSH_MS SHUTDOWN_MS: records spans named "sent 0", "sent 1", ... and exports
 * them as the environment says. Prints one JSON object a line: diagnostics as they come, then the
 * accounts of each exporter, and how long the shutdown took. A fourth word: "fork": a child made
 * after the first flush sends as many again; "wait": the end of standard input, then as many again;
 * "exit": no shutdown, but the end of the program that long after; "closed": prints on standard
 * error, while nobody reads standard output. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>
#include <flowtrace/span.h>
#include <flowtrace/tracing.h>

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

static FILE *output_file;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* The text has no control characters. */
static void print_text(const char *key, const char *text)
{
    pthread_mutex_lock(&output);
    fprintf(output_file, "{\"%s\":\"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', output_file);
        fputc(*text, output_file);
    }
    fprintf(output_file, "\"}\n");
    fflush(output_file);
    pthread_mutex_unlock(&output);
}

static void on_diagnostic(void *argument, const char *text)
{
    (void)argument;
    print_text("diagnostic", text);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static void record(int n_spans)
{
    for (int i = 0; i < n_spans; i++) {
        char name[32];
        const int len = snprintf(name, sizeof name, "sent %d", i);
        ftr_span span = ftr_span_start((ftr_str){name, (size_t)len}, FTR_KIND_INTERNAL, NULL);
        ftr_span_set_i64(span, FTR_STR("i"), i);
        ftr_span_end(span);
    }
}

static int count_sockets(void)
{
    int n = 0;
    DIR *files = opendir("/proc/self/fd");
    for (const struct dirent *file; files && (file = readdir(files));) {
        struct stat status;
        n += fstatat(dirfd(files), file->d_name, &status, 0) == 0 && S_ISSOCK(status.st_mode);
    }
    if (files)
        closedir(files);
    return n;
}

/* The largest resident set so far, of this program alone. */
static long peak_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static void print_accounts(void)
{
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    fprintf(output_file,
            "{\"started\":%" PRIu64 ",\"ended\":%" PRIu64 ",\"recorded\":%" PRIu64
            ",\"lost_journal_full\":%" PRIu64 ",\"peak_kib\":%ld}\n",
            counts.started, counts.ended, counts.recorded, counts.lost_journal_full, peak_kib());
    for (size_t i = 0; i < counts.n_exporters; i++) {
        const ftr_exporter_statistics *one = &counts.exporters[i];
        fprintf(output_file,
                "{\"exporter\":\"%s\",\"delivered\":%" PRIu64 ",\"rejected\":%" PRIu64
                ",\"lost_export\":%" PRIu64 ",\"lost_queue_full\":%" PRIu64 ",\"queued\":%" PRIu64
                "}\n",
                one->name, one->delivered, one->rejected, one->lost_export, one->lost_queue_full,
                one->queued);
    }
}

static int finish(uint64_t shutdown_ms)
{
    fprintf(output_file, "{\"sockets\":%d}\n", count_sockets());
    const uint64_t start_ns = now_ns();
    const ftr_status status = ftr_shutdown(shutdown_ms * NS_PER_MS);
    const uint64_t took_ms = (now_ns() - start_ns) / NS_PER_MS;
    print_accounts();
    fprintf(output_file, "{\"shutdown\":%d,\"ms\":%" PRIu64 "}\n", (int)status, took_ms);
    fflush(output_file);
    return 0;
}

static int run(int n_spans, uint64_t flush_ms, uint64_t shutdown_ms, bool forks, bool waits)
{
    record(n_spans);
    if (flush_ms > 0) {
        const uint64_t start_ns = now_ns();
        const ftr_status status = ftr_flush(flush_ms * NS_PER_MS);
        fprintf(output_file, "{\"flush\":%d,\"ms\":%" PRIu64 "}\n", (int)status,
                (now_ns() - start_ns) / NS_PER_MS);
    }
    fflush(output_file);
    if (waits) {
        fprintf(output_file, "{\"waiting\":1}\n");
        fflush(output_file);
        (void)getchar();
        record(n_spans);
    }
    if (!forks)
        return finish(shutdown_ms);
    const pid_t child = fork();
    record(n_spans);
    if (child == 0)
        _exit(finish(shutdown_ms));
    const int result = finish(shutdown_ms);
    int status = 0;
    return waitpid(child, &status, 0) == child && status == 0 ? result : 1;
}

/* Nobody reads standard output any more: its place is taken by standard error. */
static FILE *close_output(void)
{
    int ends[2];
    if (pipe(ends) == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
    }
    return stderr;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *word = argc > 4 ? argv[4] : "";
    output_file = strcmp(word, "closed") == 0 ? close_output() : stdout;
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("otlp-send");
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    config.otlp_stdout_exporter = ftr_otlp_stdout_exporter_new;
    config.on_diagnostic = on_diagnostic;
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(&config, &error) != FTR_OK) {
        print_text("error", error.text);
        return 1;
    }
    if (strcmp(word, "exit") == 0) {
        record((int)strtol(argv[1], NULL, 10));
        usleep((useconds_t)strtoul(argv[3], NULL, 10) * 1000);
        return 0;
    }
    return run((int)strtol(argv[1], NULL, 10), strtoull(argv[2], NULL, 10),
               strtoull(argv[3], NULL, 10), strcmp(word, "fork") == 0, strcmp(word, "wait") == 0);
}
