/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_settings.h"

#include "base/error.h"
#include "base/hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TRACES_PATH "/v1/traces"

void ftri_otlp_settings_init(struct ftri_otlp_settings *self)
{
    *self = (struct ftri_otlp_settings){.timeout_ms = FTRI_OTLP_TIMEOUT_MS};
    ftri_arena_init(&self->arena, FTRI_OTLP_SETTINGS_BYTES);
}

void ftri_otlp_settings_deinit(struct ftri_otlp_settings *self)
{
    ftri_arena_deinit(&self->arena);
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

static int set_unix_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                             struct ftri_error *error)
{
    const ftr_str path = {url.data + strlen("unix://"), url.len - strlen("unix://")};
    if (path.len == 0 || path.data[0] != '/' || memchr(path.data, '\0', path.len))
        return ftri_error_set(error, -EINVAL, "%s: expected unix:///path/of/socket", name);
    self->unix_socket = ftri_arena_copy(&self->arena, path).data;
    self->url = "http://localhost" TRACES_PATH;
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

int ftri_otlp_settings_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                                struct ftri_error *error)
{
    if (starts_with(url, "unix://"))
        return set_unix_endpoint(self, name, url, error);
    const int r = check_url(name, url, error);
    if (r < 0)
        return r;
    self->unix_socket = NULL;
    self->url = ftri_arena_copy(&self->arena, url).data;
    return self->url ? 0 : no_memory(name, error);
}

int ftri_otlp_settings_base(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                            struct ftri_error *error)
{
    if (starts_with(url, "unix://"))
        return set_unix_endpoint(self, name, url, error);
    const int r = check_url(name, url, error);
    if (r < 0)
        return r;
    if (memchr(url.data, '?', url.len) || memchr(url.data, '#', url.len))
        return ftri_error_set(error, -EINVAL, "%s: a base URL has no query and no fragment", name);
    while (url.data[url.len - 1] == '/')
        url.len--;
    const size_t room = url.len + sizeof TRACES_PATH;
    char *joined = ftri_arena_alloc(&self->arena, room);
    if (!joined)
        return no_memory(name, error);
    snprintf(joined, room, "%.*s" TRACES_PATH, (int)url.len, url.data);
    self->unix_socket = NULL;
    self->url = joined;
    return 0;
}

static ftr_str trim(ftr_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* RFC 9110 5.6.2 */
static bool is_token(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.data[i];
        const bool is_letter_or_digit =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_letter_or_digit && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

/* Decodes in place of the copy; -1 for a bad escape or a control character. */
static int decode_value(ftr_str encoded, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        uint8_t c = (uint8_t)encoded.data[i];
        if (c == '%') {
            if (encoded.len - i < 3 || !ftri_hex_decode(encoded.data + i + 1, 1, &c))
                return -1;
            i += 2;
        }
        if (c < ' ' || c == 0x7f)
            return -1;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return 0;
}

static int add_header(struct ftri_otlp_settings *self, const char *name, ftr_str member,
                      struct ftri_error *error)
{
    const char *equals = memchr(member.data, '=', member.len);
    const size_t key_len = equals ? (size_t)(equals - member.data) : 0;
    const ftr_str key = trim((ftr_str){member.data, key_len});
    if (!is_token(key))
        return ftri_error_set(error, -EINVAL, "%s: expected name=value pairs with commas between",
                              name);
    if (self->n_headers == FTRI_OTLP_MAX_HEADERS)
        return ftri_error_set(error, -EINVAL, "%s: more than %d headers", name,
                              FTRI_OTLP_MAX_HEADERS);
    const ftr_str value = trim((ftr_str){equals + 1, member.len - key_len - 1});
    char *line = ftri_arena_alloc(&self->arena, key.len + value.len + sizeof ": ");
    if (!line)
        return no_memory(name, error);
    memcpy(line, key.data, key.len);
    memcpy(line + key.len, ": ", 2);
    if (decode_value(value, line + key.len + 2) < 0)
        return ftri_error_set(error, -EINVAL,
                              "%s: the value of %.*s has a bad escape or a control character", name,
                              (int)ftri_size_min(key.len, 100), key.data);
    self->headers[self->n_headers++] = line;
    return 0;
}

int ftri_otlp_settings_headers(struct ftri_otlp_settings *self, const char *name, ftr_str list,
                               struct ftri_error *error)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        const size_t len = comma ? (size_t)(comma - list.data) : list.len;
        const ftr_str member = trim((ftr_str){list.data, len});
        const int r = member.len ? add_header(self, name, member, error) : 0;
        if (r < 0)
            return r;
        const size_t used = comma ? len + 1 : len;
        list = (ftr_str){list.data + used, list.len - used};
    }
    return 0;
}

int ftri_otlp_settings_from_options(struct ftri_otlp_settings *self,
                                    const ftr_otlp_options *options, struct ftri_error *error)
{
    if (!options || options->size < sizeof(size_t))
        return ftri_error_set(error, -EINVAL, "options: missing, or size not set");
    ftr_otlp_options known = {.size = sizeof known};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    if (known.endpoint.len == 0)
        return ftri_error_set(error, -EINVAL, "endpoint: missing");
    int r = ftri_otlp_settings_endpoint(self, "endpoint", known.endpoint, error);
    if (r == 0)
        r = ftri_otlp_settings_headers(self, "headers", known.headers, error);
    self->use_gzip = known.use_gzip;
    if (known.timeout_ms)
        self->timeout_ms = known.timeout_ms;
    return r;
}
