/* SPDX-License-Identifier: Apache-2.0 */
#include "export/jaeger_settings.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct ftri_jaeger_settings defaults = {
    .endpoint = "http://localhost:14250", .interval_ms = 60000, .initial_rate = 0.001};

static bool is_of_host(char c)
{
    return (uint8_t)c > ' ' && (uint8_t)c < 0x7f && !strchr("/?#@\"\\", c);
}

/* The length of scheme and "://"; 0: another one. */
static size_t scheme_len(ftr_str url)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < FTRI_COUNT(schemes); i++) {
        const size_t len = strlen(schemes[i]);
        if (url.len > len &&
            ftri_text_same_word((ftr_str){url.data, len}, ftr_str_from(schemes[i])))
            return len;
    }
    return 0;
}

/* The text is not shown: what is no endpoint may hold a password. */
static int take_endpoint(struct ftri_jaeger_settings *self, ftr_str value, struct ftri_error *error)
{
    const bool ends_with_slash = value.len > 0 && value.data[value.len - 1] == '/';
    const ftr_str url = {value.data, value.len - ends_with_slash};
    const size_t before_host = scheme_len(url);
    size_t len = before_host;
    while (len < url.len && is_of_host(url.data[len]))
        len++;
    if (before_host == 0 || len < url.len || len == before_host)
        return ftri_error_set(error, -EINVAL,
                              "endpoint: expected http://host:port or https://host:port of a gRPC "
                              "server, and no path");
    if (len >= sizeof self->endpoint)
        return ftri_error_set(error, -EINVAL, "endpoint: longer than %zu bytes",
                              sizeof self->endpoint - 1);
    snprintf(self->endpoint, sizeof self->endpoint, "%.*s", (int)len, url.data);
    return 0;
}

static int take_interval(struct ftri_jaeger_settings *self, ftr_str value, struct ftri_error *error)
{
    uint64_t ms = 0;
    if (!ftri_text_whole(value, UINT32_MAX, &ms) || ms == 0)
        return ftri_error_set(error, -EINVAL,
                              "pollingIntervalMs: '%.*s' is not a whole number from 1 to %" PRIu32,
                              (int)ftri_size_min(value.len, 100), value.data, UINT32_MAX);
    self->interval_ms = (uint32_t)ms;
    return 0;
}

static int take_rate(struct ftri_jaeger_settings *self, ftr_str value, struct ftri_error *error)
{
    double rate;
    if (!ftri_text_decimal(value, &rate) || !(rate >= 0 && rate <= 1))
        return ftri_error_set(error, -EINVAL,
                              "initialSamplingRate: '%.*s' is not a ratio between 0 and 1",
                              (int)ftri_size_min(value.len, 100), value.data);
    self->initial_rate = rate;
    return 0;
}

static int take_part(struct ftri_jaeger_settings *self, ftr_str part, struct ftri_error *error)
{
    static const struct {
        const char *key;
        int (*take)(struct ftri_jaeger_settings *self, ftr_str value, struct ftri_error *error);
    } parts[] = {
        {"endpoint", take_endpoint},
        {"pollingIntervalMs", take_interval},
        {"initialSamplingRate", take_rate},
    };
    const ftr_str whole = part;
    ftr_str key;
    if (memchr(part.data, '=', part.len) && ftri_text_split(&part, '=', &key))
        for (size_t i = 0; i < FTRI_COUNT(parts); i++)
            if (ftri_text_is(ftri_trim(key), parts[i].key))
                return parts[i].take(self, ftri_trim(part), error);
    return ftri_error_set(error, -EINVAL,
                          "'%.*s' is none of endpoint=, pollingIntervalMs= and "
                          "initialSamplingRate=",
                          (int)ftri_size_min(whole.len, 60), whole.data);
}

int ftri_jaeger_settings_read(ftr_str argument, struct ftri_jaeger_settings *ret_settings,
                              struct ftri_error *error)
{
    struct ftri_jaeger_settings found = defaults;
    ftr_str rest = ftri_trim(argument);
    int r = 0;
    *ret_settings = defaults;
    for (ftr_str part; r == 0 && ftri_text_split(&rest, ',', &part);)
        r = take_part(&found, ftri_trim(part), error);
    if (r == 0)
        *ret_settings = found;
    return r;
}
