/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the SDK's variables of any content, one a line. They never fail a session's set-up,
 * and what comes of them is within its bounds. */
#include "trace/settings.h"

#include "base/error.h"
#include "base/mem.h"

#include <flowtrace/tracing.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static bool has(const struct ftri_settings *settings, const char *key)
{
    for (size_t i = 0; i < settings->n_resource; i++)
        if (settings->resource[i].key.len == strlen(key) &&
            memcmp(settings->resource[i].key.data, key, strlen(key)) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = ftri_zalloc(size + FTRI_COUNT(names) + 1);
    demand(text != NULL);
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] == '\n' ? '\0' : (char)data[i];
    const char *line = text;
    for (size_t i = 0; i < FTRI_COUNT(names); i++) {
        demand(setenv(names[i], line, 1) == 0);
        line += strlen(line) + 1;
    }
    const ftr_config config = FTR_CONFIG_INIT;
    struct ftri_settings settings;
    struct ftri_error error = {""};
    const int r = ftri_settings_init(&settings, &config, &error);
    demand(r == 0 || error.text[0] != '\0');
    if (r == 0)
        demand(has(&settings, "service.name") && has(&settings, "telemetry.sdk.name"));
    if (r == 0)
        demand(settings.limits.attributes <= UINT16_MAX);
    ftri_settings_deinit(&settings);
    ftri_free(text);
    return 0;
}
