/* SPDX-License-Identifier: Apache-2.0
 *
 * `flowtrace env` under an environment with every kind of variable, good ones and wrong ones: all
 * of the answer, or an error. */
#include "torture.h"

#include "base/bytes.h"
#include "export/environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void set_variables(void)
{
    static const char *const variables[][2] = {
        {"OTEL_SERVICE_NAME", "torture"},
        {"OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,k=a%2Cb"},
        {"OTEL_PROPAGATORS", "tracecontext,b3,ottrace,carrier-pigeon"},
        {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"},
        {"OTEL_TRACES_SAMPLER_ARG", "a half"},
        {"OTEL_TRACES_EXPORTER", "console,otlp"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/base"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret,note=a%20b"},
        {"OTEL_METRICS_EXPORTER", "otlp"},
        {"OTEL_BSP_MAX_QUEUE_SIZE", "many"},
        {"FLOWTRACE_MODE", "tail"},
        {"FLOWTRACE_CONVENTIONS", "krishiv"},
    };
    for (size_t i = 0; i < FTRI_COUNT(variables); i++)
        EXPECT(setenv(variables[i][0], variables[i][1], 1) == 0);
}

void torture_run(void)
{
    struct ftri_bytes first, second;
    bool is_usable = false;
    set_variables();
    ftri_bytes_init(&first, 1 << 20);
    ftri_bytes_init(&second, 1 << 20);
    torture_begin();
    const int r = ftri_environment_write(&first, &is_usable);
    torture_end();
    EXPECT(r == 0 || (r == -ENOMEM && torture_has_struck()));
    EXPECT(r != 0 || is_usable || torture_has_struck());
    EXPECT(ftri_environment_write(&second, &is_usable) == 0 && is_usable);
    EXPECT(memmem(second.data, second.len, "carrier-pigeon", 14));
    EXPECT(!memmem(second.data, second.len, "secret", 6));
    EXPECT(r != 0 || torture_has_struck() ||
           (first.len == second.len && memcmp(first.data, second.data, first.len) == 0));
    ftri_bytes_deinit(&first);
    ftri_bytes_deinit(&second);
}
