/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "codec/utf8.h"
#include "config/owned.h"
#include "config/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1024 * 1024, DOCUMENT_BYTES_MAX = 128 * 1024 * 1024 };

static int document_new(const char *name, struct config_document **ret_document)
{
    struct config_document *self = ftri_zalloc(sizeof *self);
    if (!self)
        return -ENOMEM;
    ftri_arena_init(&self->arena, DOCUMENT_BYTES_MAX);
    self->name = ftri_arena_copy(&self->arena, ftr_str_from(name)).data;
    if (!self->name) {
        config_free(self);
        return -ENOMEM;
    }
    *ret_document = self;
    return 0;
}

/* Some invalid UTF-8 in comments lets libfyaml 0.7 read beyond the text. */
static int refuse_invalid_utf8(const struct config_document *document, ftr_str text,
                               struct ftri_error *error)
{
    if (ftri_utf8_is_valid(text))
        return 0;
    const size_t n_valid = ftri_utf8_valid_prefix(text);
    uint32_t place[2] = {1, 1};
    for (size_t i = 0; i < n_valid; i++) {
        const uint8_t c = (uint8_t)text.data[i];
        place[0] += c == '\n';
        place[1] = c == '\n' ? 1 : place[1] + ((c & 0xc0) != 0x80);
    }
    return config_error_at(document, place, error, "not UTF-8");
}

/* libfyaml 0.7 frees twice on a tab behind the colon of an explicit key ("? a:\t- b"). */
static int refuse_tab_behind_colon(const struct config_document *document, ftr_str text,
                                   struct ftri_error *error)
{
    uint32_t place[2] = {1, 1};
    bool is_behind_colon = false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if (c == '\t' && is_behind_colon)
            return config_error_at(document, place, error,
                                   "a tab behind ':'; spaces are wanted there");
        is_behind_colon = c == ':' || (c == ' ' && is_behind_colon);
        place[0] += c == '\n';
        place[1] = c == '\n' ? 1 : place[1] + 1;
    }
    return 0;
}

int config_parse(ftr_str text, const char *name, struct config_document **ret_document,
                 struct ftri_error *error)
{
    if (text.len > TEXT_BYTES_MAX)
        return ftri_error_set(error, -EINVAL, "%s: larger than 1 MiB", name);
    if (text.len && memchr(text.data, '\0', text.len))
        return ftri_error_set(error, -EINVAL, "%s: not a text: there is a NUL byte", name);
    struct config_document *self = NULL;
    int r = document_new(name, &self);
    if (r < 0)
        return ftri_error_errno(error, r, "%s", name);
    r = refuse_invalid_utf8(self, text, error);
    if (r == 0)
        r = refuse_tab_behind_colon(self, text, error);
    if (r == 0 && text.len)
        r = config_yaml_read(self, text, error);
    if (r == 0 && (!self->root || self->root->kind == CONFIG_NULL))
        r = ftri_error_set(error, -EINVAL, "%s: empty", name);
    if (r < 0) {
        config_free(self);
        return r;
    }
    *ret_document = self;
    return 0;
}

int config_load(const char *path, struct config_document **ret_document, struct ftri_error *error)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES_MAX + 1); /* one more to see the end */
    int r = ftri_file_read(path, &text);
    if (r == -EFBIG || r == -EMSGSIZE)
        r = ftri_error_set(error, -EINVAL, "%s: larger than 1 MiB", path);
    else if (r < 0)
        r = ftri_error_errno(error, r, "%s", path);
    else
        r = config_parse(ftri_view_str(ftri_bytes_view(&text)), path, ret_document, error);
    ftri_bytes_deinit(&text);
    return r;
}

void config_free(struct config_document *self)
{
    if (!self)
        return;
    ftri_arena_deinit(&self->arena);
    ftri_free(self);
}

const struct config_value *config_root(const struct config_document *self)
{
    return self->root;
}

enum config_kind config_kind(const struct config_value *self)
{
    return self->kind;
}

const char *config_kind_name(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_SCALAR:
        return "text";
    case CONFIG_SEQUENCE:
        return "list";
    case CONFIG_MAPPING:
        return "mapping";
    case CONFIG_NULL:
        break;
    }
    return "null";
}

const char *config_text(const struct config_value *self)
{
    return self->text;
}

bool config_is_quoted(const struct config_value *self)
{
    return self->is_quoted;
}

size_t config_size(const struct config_value *self)
{
    return self->n;
}

const struct config_value *config_item(const struct config_value *self, size_t i)
{
    return i < self->n ? self->items[i] : NULL;
}

const struct config_value *config_key(const struct config_value *self, size_t i)
{
    return self->kind == CONFIG_MAPPING && i < self->n ? self->keys[i] : NULL;
}

const struct config_value *config_value_at(const struct config_value *self, size_t i)
{
    return self->kind == CONFIG_MAPPING ? config_item(self, i) : NULL;
}

const struct config_value *config_get(const struct config_value *self, const char *key)
{
    if (self->kind != CONFIG_MAPPING)
        return NULL;
    for (size_t i = 0; i < self->n; i++)
        if (strcmp(self->keys[i]->text, key) == 0)
            return self->items[i];
    return NULL;
}

static int set_error_at(const struct config_document *document, const uint32_t place[2],
                        struct ftri_error *error, const char *text)
{
    return ftri_error_set(error, -EINVAL, "%s:%u:%u: %s", document->name, (unsigned)place[0],
                          (unsigned)place[1], text);
}

int config_error_at(const struct config_document *self, const uint32_t place[2],
                    struct ftri_error *error, const char *format, ...)
{
    char text[FTRI_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return set_error_at(self, place, error, text);
}

/* Recursion is bounded by the levels of a document. */
const struct config_value *config_first_change(const struct config_value *before,
                                               const struct config_value *now)
{
    if (before->kind != now->kind || before->is_quoted != now->is_quoted ||
        strcmp(before->text, now->text) != 0)
        return now;
    const struct config_value *change = NULL;
    for (size_t i = 0; !change && i < before->n && i < now->n; i++) {
        if (now->kind == CONFIG_MAPPING)
            change = config_first_change(before->keys[i], now->keys[i]);
        if (!change)
            change = config_first_change(before->items[i], now->items[i]);
    }
    return change || before->n == now->n ? change : now;
}

int config_error(const struct config_value *self, struct ftri_error *error, int code,
                 const char *format, ...)
{
    char text[FTRI_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const uint32_t place[2] = {self->line, self->column};
    (void)set_error_at(self->document, place, error, text);
    return code;
}

bool config_error_has_place(const struct config_value *self, const struct ftri_error *error)
{
    const size_t len = strlen(self->document->name);
    return strncmp(error->text, self->document->name, len) == 0 && error->text[len] == ':';
}
