/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope macros: spans that last as long as their block. Counts the words of its own arguments, or
 * of a line of its own; the spans are written to stderr, one line each. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/scope.h>
#include <stdio.h>

static size_t count_words(const char *text)
{
    FTR_SPAN(counting, "count words");
    FTR_SPAN_SET(counting, "text", text);
    size_t n = 0;
    size_t n_letters = 0;
    for (bool is_in_word = false; *text; text++) {
        n += *text != ' ' && !is_in_word;
        is_in_word = *text != ' ';
        n_letters += is_in_word;
    }
    FTR_SPAN_SET_ALL(counting, "words", n, "letters", n_letters); /* cheaper than one by one */
    if (n == 0) {
        FTR_SPAN_STATUS(counting, FTR_SPAN_ERROR, FTR_STR("nothing to count"));
        return 0; /* ends the span, too */
    }
    return n;
}

static size_t count_all(const char *const *texts, size_t n_texts)
{
    FTR_SPAN(all, "count all");
    size_t n = 0;
    for (size_t i = 0; i < n_texts; i++) {
        n += count_words(texts[i]); /* a child of "count all" */
        FTR_SPAN_EVENT_WITH(all, "counted", {FTR_STR("so.far"), ftr_value_i64((int64_t)n)});
    }
    return n;
}

int main(int argc, char **argv)
{
    static const char *const own[] = {"where every batch of data went", "  "};
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("scopes");
    config.exporters = &console;
    config.n_exporters = 1;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "scopes: %s\n", error.text);
        return 1;
    }
    const size_t n = argc > 1 ? count_all((const char *const *)argv + 1, (size_t)argc - 1)
                              : count_all(own, sizeof own / sizeof *own);
    printf("%zu words\n", n);
    return ftr_shutdown(1000000000) == FTR_OK ? 0 : 1; /* a second, in ns */
}
