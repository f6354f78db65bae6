/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_environment.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct environment {
    ftri_otlp_variable_function get;
    void *argument;
};

struct variable {
    char name[64];
    ftr_str value; /* .data NULL: unset */
};

static struct variable read_one(const struct environment *self, const char *middle,
                                const char *suffix)
{
    struct variable variable;
    snprintf(variable.name, sizeof variable.name, "OTEL_EXPORTER_OTLP%s_%s", middle, suffix);
    const char *value = self->get(self->argument, variable.name);
    variable.value = value && *value ? (ftr_str){value, strlen(value)} : (ftr_str){0};
    return variable;
}

/* The one for traces, else the general one. */
static struct variable read_either(const struct environment *self, const char *suffix)
{
    const struct variable specific = read_one(self, "_TRACES", suffix);
    return specific.value.data ? specific : read_one(self, "", suffix);
}

static bool is_word(ftr_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.data, word, value.len) == 0;
}

static int take_endpoint(const struct environment *self, struct ftri_otlp_settings *settings,
                         struct ftri_error *error)
{
    const struct variable specific = read_one(self, "_TRACES", "ENDPOINT");
    if (specific.value.data)
        return ftri_otlp_settings_endpoint(settings, specific.name, specific.value, error);
    const struct variable general = read_one(self, "", "ENDPOINT");
    const ftr_str base = general.value.data ? general.value : FTR_STR("http://localhost:4318");
    return ftri_otlp_settings_base(settings, general.name, base, error);
}

static int take_protocol(const struct environment *self, struct ftri_otlp_settings *settings,
                         struct ftri_error *error)
{
    const struct variable protocol = read_either(self, "PROTOCOL");
    if (!protocol.value.data || is_word(protocol.value, "http/protobuf"))
        return 0;
    if (is_word(protocol.value, "grpc") || is_word(protocol.value, "http/json"))
        return ftri_error_set(error, -ENOTSUP,
                              "%s: %.*s is not built in; http/protobuf is what this library speaks",
                              protocol.name, (int)protocol.value.len, protocol.value.data);
    ftri_error_set(&settings->warning, 0, "%s: ignored, expected http/protobuf", protocol.name);
    return 0;
}

static int take_headers(const struct environment *self, struct ftri_otlp_settings *settings,
                        struct ftri_error *error)
{
    const struct variable headers = read_either(self, "HEADERS");
    return ftri_otlp_settings_headers(settings, headers.name, headers.value, error);
}

static int take_compression(const struct environment *self, struct ftri_otlp_settings *settings,
                            struct ftri_error *error)
{
    (void)error;
    const struct variable compression = read_either(self, "COMPRESSION");
    settings->use_gzip = compression.value.data && is_word(compression.value, "gzip");
    if (compression.value.data && !settings->use_gzip && !is_word(compression.value, "none"))
        ftri_error_set(&settings->warning, 0, "%s: ignored, expected gzip or none",
                       compression.name);
    return 0;
}

/* Decimal milliseconds up to an hour and more than 0. */
static bool parse_timeout(ftr_str text, uint32_t *ret_ms)
{
    uint32_t ms = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || ms > 3600000)
            return false;
        ms = ms * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (ms == 0 || ms > 3600000)
        return false;
    *ret_ms = ms;
    return true;
}

static int take_timeout(const struct environment *self, struct ftri_otlp_settings *settings,
                        struct ftri_error *error)
{
    (void)error;
    const struct variable timeout = read_either(self, "TIMEOUT");
    if (timeout.value.data && !parse_timeout(timeout.value, &settings->timeout_ms))
        ftri_error_set(&settings->warning, 0, "%s: ignored, expected 1 to 3600000 milliseconds",
                       timeout.name);
    return 0;
}

static int copy_path(const struct environment *self, const char *suffix, const char **ret_path,
                     struct ftri_otlp_settings *settings, struct ftri_error *error)
{
    const struct variable file = read_either(self, suffix);
    if (!file.value.data)
        return 0;
    *ret_path = ftri_arena_copy(&settings->arena, file.value).data;
    return *ret_path ? 0 : ftri_error_set(error, -ENOMEM, "%s: out of memory", file.name);
}

static int take_files(const struct environment *self, struct ftri_otlp_settings *settings,
                      struct ftri_error *error)
{
    int r = copy_path(self, "CERTIFICATE", &settings->ca_file, settings, error);
    if (r == 0)
        r = copy_path(self, "CLIENT_CERTIFICATE", &settings->client_certificate, settings, error);
    if (r == 0)
        r = copy_path(self, "CLIENT_KEY", &settings->client_key, settings, error);
    return r;
}

int ftri_otlp_environment_read(ftri_otlp_variable_function get, void *argument,
                               struct ftri_otlp_settings *ret_settings, struct ftri_error *error)
{
    static int (*const steps[])(const struct environment *, struct ftri_otlp_settings *,
                                struct ftri_error *) = {
        take_protocol, take_endpoint, take_headers, take_compression, take_timeout, take_files,
    };
    const struct environment environment = {get, argument};
    int r = 0;
    for (size_t i = 0; i < FTRI_COUNT(steps) && r == 0; i++)
        r = steps[i](&environment, ret_settings, error);
    return r;
}
