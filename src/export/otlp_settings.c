/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_settings.h"

#include "base/error.h"
#include "base/text.h"
#include "export/pem_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* By signal, for HTTP and for gRPC. */
static const char *const paths[][2] = {
    [FTRI_OTLP_TRACES] = {"/v1/traces",
                          "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
    [FTRI_OTLP_METRICS] = {"/v1/metrics",
                           "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
    [FTRI_OTLP_LOGS] = {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
};

static const char *path_of(const struct ftri_otlp_settings *self)
{
    return paths[self->signal][self->protocol == FTR_OTLP_GRPC];
}

void ftri_otlp_settings_init(struct ftri_otlp_settings *self)
{
    *self = (struct ftri_otlp_settings){.timeout_ms = FTRI_OTLP_TIMEOUT_MS};
    ftri_arena_init(&self->arena, FTRI_OTLP_SETTINGS_BYTES);
}

void ftri_otlp_settings_deinit(struct ftri_otlp_settings *self)
{
    ftri_arena_deinit(&self->arena);
}

void ftri_otlp_settings_warn(struct ftri_otlp_settings *self, const char *format, ...)
{
    if (!self->warn)
        return;
    char text[FTRI_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    self->warn(self->warn_argument, text);
}

static int no_memory(const char *name, struct ftri_error *error)
{
    return ftri_error_set(error, -ENOMEM, "%s: too long, or out of memory", name);
}

static bool starts_with(ftr_str text, const char *prefix)
{
    const size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.data, prefix, len) == 0;
}

static bool is_visible(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.data[i] <= ' ' || (uint8_t)text.data[i] >= 0x7f)
            return false;
    return true;
}

static bool is_unix(ftr_str url)
{
    return starts_with(url, "unix:");
}

/* prefix, text and suffix become the URL. */
static int set_url(struct ftri_otlp_settings *self, const char *name, const char *prefix,
                   ftr_str text, const char *suffix, struct ftri_error *error)
{
    const size_t room = strlen(prefix) + text.len + strlen(suffix) + 1;
    char *joined = ftri_arena_alloc(&self->arena, room);
    if (!joined)
        return no_memory(name, error);
    snprintf(joined, room, "%s%.*s%s", prefix, (int)text.len, text.data, suffix);
    self->unix_socket = NULL;
    self->url = joined;
    return 0;
}

/* unix:///path, and unix:/path as gRPC writes it. */
static int set_unix_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                             struct ftri_error *error)
{
    const size_t len = strlen(starts_with(url, "unix://") ? "unix://" : "unix:");
    const ftr_str path = {url.data + len, url.len - len};
    if (path.len == 0 || path.data[0] != '/' || memchr(path.data, '\0', path.len))
        return ftri_error_set(error, -EINVAL, "%s: expected unix:///path/of/socket", name);
    const int r = set_url(self, name, "http://localhost", (ftr_str){"", 0}, path_of(self), error);
    if (r < 0)
        return r;
    self->unix_socket = ftri_arena_copy(&self->arena, path).data;
    return self->unix_socket ? 0 : no_memory(name, error);
}

/* The text is not shown: a URL may hold a password. */
static int check_url(const char *name, ftr_str url, struct ftri_error *error)
{
    const size_t scheme_len = starts_with(url, "https://") ? 8 : 7;
    if (!starts_with(url, "http://") && !starts_with(url, "https://"))
        return ftri_error_set(error, -EINVAL,
                              "%s: expected a URL that starts with http://, https:// or unix://",
                              name);
    if (url.len == scheme_len || strchr("/?#", url.data[scheme_len]))
        return ftri_error_set(error, -EINVAL, "%s: the URL has no host", name);
    if (!is_visible(url))
        return ftri_error_set(error, -EINVAL, "%s: the URL has a space or control character", name);
    return 0;
}

static ftr_str from(ftr_str text, size_t n)
{
    return (ftr_str){text.data + n, text.len - n};
}

/* Where a scheme beats is_insecure. The path is the service's, whatever the URL says. */
static int set_grpc_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                             struct ftri_error *error)
{
    const bool is_plain = starts_with(url, "http://");
    const bool has_scheme = is_plain || starts_with(url, "https://");
    const ftr_str rest = has_scheme ? from(url, is_plain ? 7 : 8) : url;
    size_t len = 0;
    while (len < rest.len && !strchr("/?#", rest.data[len]))
        len++;
    if (len == 0 || !is_visible(url) || (!has_scheme && len < url.len))
        return ftri_error_set(error, -EINVAL,
                              "%s: expected http://host:port, https://host:port, unix:///path or "
                              "host:port",
                              name);
    if (len + 1 < rest.len)
        ftri_otlp_settings_warn(self, "%s: what follows the host is ignored, gRPC has its own path",
                                name);
    const bool is_tls = has_scheme ? !is_plain : !self->is_insecure;
    return set_url(self, name, is_tls ? "https://" : "http://", (ftr_str){rest.data, len},
                   path_of(self), error);
}

int ftri_otlp_settings_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                                struct ftri_error *error)
{
    if (is_unix(url))
        return set_unix_endpoint(self, name, url, error);
    self->unix_socket = NULL;
    if (self->protocol == FTR_OTLP_GRPC)
        return set_grpc_endpoint(self, name, url, error);
    const int r = check_url(name, url, error);
    return r < 0 ? r : set_url(self, name, "", url, "", error);
}

int ftri_otlp_settings_base(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                            struct ftri_error *error)
{
    if (is_unix(url) || self->protocol == FTR_OTLP_GRPC)
        return ftri_otlp_settings_endpoint(self, name, url, error);
    const int r = check_url(name, url, error);
    if (r < 0)
        return r;
    if (memchr(url.data, '?', url.len) || memchr(url.data, '#', url.len))
        return ftri_error_set(error, -EINVAL, "%s: a base URL has no query and no fragment", name);
    while (url.data[url.len - 1] == '/')
        url.len--;
    return set_url(self, name, "", url, path_of(self), error);
}

/* A bad escape or a control character: false. */
static bool decode_value(ftr_str encoded, char *ret_text)
{
    const size_t len = ftri_percent_decode(encoded, ret_text, encoded.len);
    if (len == SIZE_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)ret_text[i] < ' ' || ret_text[i] == 0x7f)
            return false;
    ret_text[len] = '\0';
    return true;
}

bool ftri_otlp_header_is_reserved(ftr_str key)
{
    static const char *const names[] = {"content-type",
                                        "content-length",
                                        "content-encoding",
                                        "accept-encoding",
                                        "transfer-encoding",
                                        "connection",
                                        "host",
                                        "te",
                                        "expect"};
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (ftri_text_same_word(key, ftr_str_from(names[i])))
            return true;
    return starts_with(key, "grpc-");
}

static int add_header(struct ftri_otlp_settings *self, const char *name, ftr_str member,
                      struct ftri_error *error)
{
    const char *equals = memchr(member.data, '=', member.len);
    const size_t key_len = equals ? (size_t)(equals - member.data) : 0;
    const ftr_str key = ftri_trim((ftr_str){member.data, key_len});
    if (!ftri_text_is_token(key))
        return ftri_error_set(error, -EINVAL, "%s: expected name=value pairs with commas between",
                              name);
    if (ftri_otlp_header_is_reserved(key)) {
        ftri_otlp_settings_warn(self, "%s: %.*s is ignored, the protocol sets it", name,
                                (int)key.len, key.data);
        return 0;
    }
    if (self->n_headers == FTRI_OTLP_MAX_HEADERS)
        return ftri_error_set(error, -EINVAL, "%s: more than %d headers", name,
                              FTRI_OTLP_MAX_HEADERS);
    const ftr_str value = ftri_trim((ftr_str){equals + 1, member.len - key_len - 1});
    char *line = ftri_arena_alloc(&self->arena, key.len + value.len + sizeof ": ");
    if (!line)
        return no_memory(name, error);
    memcpy(line, key.data, key.len);
    memcpy(line + key.len, ": ", 2);
    if (!decode_value(value, line + key.len + 2))
        return ftri_error_set(error, -EINVAL,
                              "%s: the value of %.*s has a bad escape or a control character", name,
                              (int)ftri_size_min(key.len, 100), key.data);
    self->headers[self->n_headers++] = line;
    return 0;
}

int ftri_otlp_settings_headers(struct ftri_otlp_settings *self, const char *name, ftr_str list,
                               struct ftri_error *error)
{
    for (ftr_str member; ftri_text_split(&list, ',', &member);) {
        member = ftri_trim(member);
        const int r = member.len ? add_header(self, name, member, error) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int ftri_otlp_settings_file(struct ftri_otlp_settings *self, enum ftri_otlp_file_kind kind,
                            const char *name, ftr_str path, struct ftri_error *error)
{
    if (path.len == 0)
        return 0;
    self->files[kind] = (struct ftri_otlp_file){
        .path = ftri_arena_copy(&self->arena, path).data,
        .name = ftri_arena_copy(&self->arena, ftr_str_from(name)).data,
    };
    return self->files[kind].path && self->files[kind].name ? 0 : no_memory(name, error);
}

int ftri_otlp_settings_check_files(const struct ftri_otlp_settings *self, struct ftri_error *error)
{
    static const enum ftri_pem_kind kinds[FTRI_OTLP_N_FILES] = {
        FTRI_PEM_CERTIFICATE, FTRI_PEM_CERTIFICATE, FTRI_PEM_PRIVATE_KEY};
    for (size_t i = 0; i < FTRI_OTLP_N_FILES; i++) {
        const struct ftri_otlp_file *file = &self->files[i];
        const int r = file->path ? ftri_pem_file_check(file->path, kinds[i], error) : 0;
        if (r < 0)
            return ftri_error_prefix(error, r, "%s: %s", file->name, file->path);
    }
    const struct ftri_otlp_file *key = &self->files[FTRI_OTLP_CLIENT_KEY];
    if (key->path && !self->files[FTRI_OTLP_CLIENT_CERTIFICATE].path)
        return ftri_error_set(error, -EINVAL, "%s: there is no client certificate to it",
                              key->name);
    return 0;
}

static int take_files(struct ftri_otlp_settings *self, const ftr_otlp_options *options,
                      struct ftri_error *error)
{
    int r = ftri_otlp_settings_file(self, FTRI_OTLP_CERTIFICATE, "certificate",
                                    options->certificate, error);
    if (r == 0)
        r = ftri_otlp_settings_file(self, FTRI_OTLP_CLIENT_CERTIFICATE, "client_certificate",
                                    options->client_certificate, error);
    if (r == 0)
        r = ftri_otlp_settings_file(self, FTRI_OTLP_CLIENT_KEY, "client_key", options->client_key,
                                    error);
    return r;
}

static bool ends_with(ftr_str text, const char *end)
{
    const size_t len = strlen(end);
    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

/* Of metrics, without one of their own: where the traces' path is replaced by theirs. */
static int take_endpoint(struct ftri_otlp_settings *self, const ftr_otlp_options *options,
                         struct ftri_error *error)
{
    ftr_str url = options->endpoint;
    if (self->signal == FTRI_OTLP_TRACES)
        return ftri_otlp_settings_endpoint(self, "endpoint", url, error);
    if (options->metrics_endpoint.len > 0)
        return ftri_otlp_settings_endpoint(self, "metrics_endpoint", options->metrics_endpoint,
                                           error);
    if (is_unix(url) || self->protocol == FTR_OTLP_GRPC)
        return ftri_otlp_settings_endpoint(self, "endpoint", url, error);
    url.len -= strlen(paths[FTRI_OTLP_TRACES][0]);
    return ftri_otlp_settings_base(self, "endpoint", url, error);
}

static int take_options(struct ftri_otlp_settings *self, const ftr_otlp_options *options,
                        struct ftri_error *error)
{
    if ((unsigned)options->protocol > FTR_OTLP_GRPC)
        return ftri_error_set(error, -EINVAL, "protocol: %d is not known", (int)options->protocol);
    if ((unsigned)options->compression > FTR_OTLP_ZSTD)
        return ftri_error_set(error, -EINVAL, "compression: %d is not known",
                              (int)options->compression);
    if (options->endpoint.len == 0)
        return ftri_error_set(error, -EINVAL, "endpoint: missing");
    self->protocol = options->protocol;
    self->compression = options->compression;
    self->is_insecure = options->is_insecure;
    if (options->timeout_ms)
        self->timeout_ms = options->timeout_ms;
    int r = take_endpoint(self, options, error);
    if (r == 0)
        r = ftri_otlp_settings_headers(self, "headers", options->headers, error);
    return r == 0 ? take_files(self, options, error) : r;
}

/* Of an earlier version: what it does not have is not set. */
static ftr_otlp_options complete(const ftr_otlp_options *options)
{
    ftr_otlp_options known = {.size = sizeof known};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    return known;
}

int ftri_otlp_settings_from_options(struct ftri_otlp_settings *self,
                                    const ftr_otlp_options *options, struct ftri_error *error)
{
    if (!options || options->size < sizeof(size_t))
        return ftri_error_set(error, -EINVAL, "options: missing, or size not set");
    const ftr_otlp_options known = complete(options);
    return take_options(self, &known, error);
}

bool ftri_otlp_options_have_metrics(const ftr_otlp_options *options)
{
    const ftr_otlp_options known = complete(options);
    return known.metrics_endpoint.len > 0 || known.protocol == FTR_OTLP_GRPC ||
           is_unix(known.endpoint) || ends_with(known.endpoint, paths[FTRI_OTLP_TRACES][0]);
}
