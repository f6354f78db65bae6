/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_environment.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct environment {
    ftri_otlp_variable_function get;
    void *argument;
    const char *middle; /* of the signal's own variables: "_TRACES" */
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

/* The one for the signal, else the general one. */
static struct variable read_either(const struct environment *self, const char *suffix)
{
    const struct variable specific = read_one(self, self->middle, suffix);
    return specific.value.data ? specific : read_one(self, "", suffix);
}

static bool is_word(ftr_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.data, word, value.len) == 0;
}

static int take_endpoint(const struct environment *self, struct ftri_otlp_settings *settings,
                         struct ftri_error *error)
{
    const struct variable specific = read_one(self, self->middle, "ENDPOINT");
    if (specific.value.data)
        return ftri_otlp_settings_endpoint(settings, specific.name, specific.value, error);
    const struct variable general = read_one(self, "", "ENDPOINT");
    const ftr_str standard = settings->protocol == FTR_OTLP_GRPC ? FTR_STR("http://localhost:4317")
                                                                 : FTR_STR("http://localhost:4318");
    const ftr_str base = general.value.data ? general.value : standard;
    return ftri_otlp_settings_base(settings, general.name, base, error);
}

/* Which of n words the variable holds; an unknown one leaves the first, with a warning. */
static size_t take_word(const struct environment *self, struct ftri_otlp_settings *settings,
                        const char *suffix, const char *const *words, size_t n,
                        const char *expected)
{
    const struct variable found = read_either(self, suffix);
    if (!found.value.data)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (is_word(found.value, words[i]))
            return i;
    ftri_otlp_settings_warn(settings, "%s: ignored, expected %s", found.name, expected);
    return 0;
}

static int take_protocol(const struct environment *self, struct ftri_otlp_settings *settings,
                         struct ftri_error *error)
{
    static const char *const words[] = {[FTR_OTLP_HTTP_PROTOBUF] = "http/protobuf",
                                        [FTR_OTLP_HTTP_JSON] = "http/json",
                                        [FTR_OTLP_GRPC] = "grpc"};
    (void)error;
    settings->protocol = (ftr_otlp_protocol)take_word(
        self, settings, "PROTOCOL", words, FTRI_COUNT(words), "grpc, http/protobuf or http/json");
    return 0;
}

static int take_insecure(const struct environment *self, struct ftri_otlp_settings *settings,
                         struct ftri_error *error)
{
    static const char *const words[] = {"false", "true"};
    (void)error;
    settings->is_insecure =
        take_word(self, settings, "INSECURE", words, FTRI_COUNT(words), "true or false") == 1;
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
    static const char *const words[] = {
        [FTR_OTLP_PLAIN] = "none", [FTR_OTLP_GZIP] = "gzip", [FTR_OTLP_ZSTD] = "zstd"};
    (void)error;
    settings->compression = (ftr_otlp_compression)take_word(
        self, settings, "COMPRESSION", words, FTRI_COUNT(words), "gzip, zstd or none");
    return 0;
}

/* Decimal milliseconds; 0 is no limit, which is as good as the longest there is. */
static bool parse_timeout(ftr_str text, uint32_t *ret_ms)
{
    uint64_t ms = 0;
    if (!ftri_text_whole(text, UINT32_MAX, &ms))
        return false;
    *ret_ms = ms ? (uint32_t)ms : FTRI_OTLP_NO_TIMEOUT;
    return true;
}

static int take_timeout(const struct environment *self, struct ftri_otlp_settings *settings,
                        struct ftri_error *error)
{
    (void)error;
    const struct variable timeout = read_either(self, "TIMEOUT");
    if (timeout.value.data && !parse_timeout(timeout.value, &settings->timeout_ms))
        ftri_otlp_settings_warn(settings, "%s: ignored, expected 0 to %" PRIu32 " milliseconds",
                                timeout.name, UINT32_MAX);
    return 0;
}

static int take_files(const struct environment *self, struct ftri_otlp_settings *settings,
                      struct ftri_error *error)
{
    static const char *const suffixes[FTRI_OTLP_N_FILES] = {
        [FTRI_OTLP_CERTIFICATE] = "CERTIFICATE",
        [FTRI_OTLP_CLIENT_CERTIFICATE] = "CLIENT_CERTIFICATE",
        [FTRI_OTLP_CLIENT_KEY] = "CLIENT_KEY",
    };
    int r = 0;
    for (size_t i = 0; i < FTRI_OTLP_N_FILES && r == 0; i++) {
        const struct variable file = read_either(self, suffixes[i]);
        r = ftri_otlp_settings_file(settings, (enum ftri_otlp_file_kind)i, file.name, file.value,
                                    error);
    }
    return r;
}

int ftri_otlp_environment_read(ftri_otlp_variable_function get, void *argument,
                               struct ftri_otlp_settings *ret_settings, struct ftri_error *error)
{
    static int (*const steps[])(const struct environment *, struct ftri_otlp_settings *,
                                struct ftri_error *) = {
        take_protocol,    take_insecure, take_endpoint, take_headers,
        take_compression, take_timeout,  take_files,
    };
    static const char *const middles[] = {
        [FTRI_OTLP_TRACES] = "_TRACES", [FTRI_OTLP_METRICS] = "_METRICS"};
    const struct environment environment = {get, argument, middles[ret_settings->signal]};
    int r = 0;
    for (size_t i = 0; i < FTRI_COUNT(steps) && r == 0; i++)
        r = steps[i](&environment, ret_settings, error);
    return r;
}
