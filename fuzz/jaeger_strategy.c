/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what a server of Jaeger's remote sampling answers. The input is a
 * SamplingStrategyResponse, read in the place of a ratio and of operations with a least rate; what
 * comes of it is asked about names that are in there, and others. */
#include "base/error.h"
#include "base/time.h"
#include "export/jaeger_settings.h"
#include "export/jaeger_strategy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char operations[] = "\x22\x22\x09\0\0\0\0\0\0\xe0\x3f\x11\0\0\0\0\0\0\xd0\x3f"
                                 "\x1a\x0e\x0a\x01p\x12\x09\x09\0\0\0\0\0\0\xf0\x3f";

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Names of each length from each place of the input's beginning. */
static void ask(struct ftri_jaeger_strategy *strategy, ftr_str input)
{
    const ftr_trace_id id = {.bytes = {[8] = 0x80}};
    const size_t n = input.len < 24 ? input.len : 24;
    for (size_t from = 0; from < n; from++)
        for (size_t len = 0; len <= n - from; len++)
            (void)ftri_jaeger_strategy_takes(strategy, (ftr_str){input.data + from, len}, &id,
                                             (from + 1) * FTRI_NS_PER_S);
}

static void read_after(const struct ftri_jaeger_strategy *before, struct ftri_view input)
{
    struct ftri_jaeger_strategy *strategy = NULL;
    struct ftri_jaeger_strategy *again = NULL;
    struct ftri_error error = {""};
    const int r = ftri_jaeger_strategy_read(input, before, &strategy, &error);
    require((r == 0) == (strategy != NULL));
    require(r >= 0 || error.text[0] != '\0');
    if (!strategy)
        return;
    ask(strategy, ftri_view_str(input));
    require(ftri_jaeger_strategy_read(input, strategy, &again, &error) == FTRI_JAEGER_SAME);
    ftri_jaeger_strategy_free(strategy);
}

/* The same bytes as the setting of a person. */
static void read_settings(ftr_str argument)
{
    struct ftri_jaeger_settings settings;
    struct ftri_error error = {""};
    const int r = ftri_jaeger_settings_read(argument, &settings, &error);
    require((r == 0) == (error.text[0] == '\0'));
    require(memchr(settings.endpoint, '\0', sizeof settings.endpoint) != NULL);
    require(strncasecmp(settings.endpoint, "http", 4) == 0 && settings.interval_ms > 0);
    require(settings.initial_rate >= 0 && settings.initial_rate <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ftri_jaeger_strategy *ratio = ftri_jaeger_strategy_new(0.5);
    struct ftri_jaeger_strategy *by_operation = NULL;
    const struct ftri_view input = ftri_view_of(data, size);
    require(ftri_jaeger_strategy_read(ftri_view_of(operations, sizeof operations - 1), ratio,
                                      &by_operation, NULL) == 0);
    ask(by_operation, ftri_view_str(input));
    read_after(ratio, input);
    read_after(by_operation, input);
    read_settings(ftri_view_str(input));
    ftri_jaeger_strategy_free(by_operation);
    ftri_jaeger_strategy_free(ratio);
    return 0;
}
