/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: OTEL_EXPORTER_OTLP_* of any content. Lines of the input are the variables, in the
 * order of the table. What was accepted is what an HTTP client can be given. */
#include "export/otlp_environment.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT",       "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",        "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_PROTOCOL",       "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

/* The line of a name in the text, whose lines end with NUL by now. */
static const char *get(void *argument, const char *name)
{
    const char *line = argument;
    for (size_t i = 0; i < FTRI_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0)
            return line;
        line += strlen(line) + 1;
    }
    return NULL;
}

static void check_headers(const struct ftri_otlp_settings *settings)
{
    demand(settings->n_headers <= FTRI_OTLP_MAX_HEADERS);
    demand(settings->headers[settings->n_headers] == NULL);
    for (size_t i = 0; i < settings->n_headers; i++)
        for (const char *c = settings->headers[i]; *c; c++)
            demand(*c != '\r' && *c != '\n');
}

static void check(const struct ftri_otlp_settings *settings)
{
    demand(settings->url != NULL && settings->timeout_ms > 0);
    demand(strncasecmp(settings->url, "http://", 7) == 0 ||
           strncasecmp(settings->url, "https://", 8) == 0);
    demand(!settings->unix_socket || settings->unix_socket[0] == '/');
    check_headers(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = ftri_zalloc(size + FTRI_COUNT(names) + 1);
    struct ftri_otlp_settings settings;
    struct ftri_error error = {""};
    demand(text != NULL);
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] == '\n' ? '\0' : (char)data[i];
    ftri_otlp_settings_init(&settings);
    const int r = ftri_otlp_environment_read(get, text, &settings, &error);
    demand(r == 0 || r == -EINVAL || r == -ENOTSUP || r == -ENOMEM);
    if (r == 0)
        check(&settings);
    else
        demand(error.text[0] != '\0');
    ftri_otlp_settings_deinit(&settings);
    ftri_free(text);
    return 0;
}
