/* SPDX-License-Identifier: Apache-2.0
 *
 * Events come in document order. Finished values wait in `pending`; the end of a sequence or
 * mapping takes those since its start. At most 64 levels are open, so nothing here recurses.
 * Anchors and aliases are refused (they can expand without bound), and so are tags. */
#include "config/yaml.h"

#include "base/map.h"
#include "base/mem.h"
#include "config/expand.h"

#include <errno.h>
#include <libfyaml.h>
#include <string.h>

enum { LEVELS_MAX = 64, EXPANDED_BYTES_MAX = 1024 * 1024 };

struct level {
    struct config_value *value;
    size_t first; /* of its children in pending */
};

struct reader {
    struct config_document *document;
    struct ftri_error *error;
    struct level levels[LEVELS_MAX];
    size_t n_levels;
    struct config_value **pending;
    size_t n_pending;
    size_t capacity;
    bool has_document;
};

static int short_of_memory(const struct reader *self)
{
    return ftri_error_set(self->error, -ENOMEM, "%s: memory is short, or the document is too large",
                          self->document->name);
}

static int append_pending(struct reader *self, struct config_value *value)
{
    if (self->n_pending == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct config_value **grown = ftri_realloc(self->pending, capacity * sizeof *grown);
        if (!grown)
            return short_of_memory(self);
        self->pending = grown;
        self->capacity = capacity;
    }
    self->pending[self->n_pending++] = value;
    return 0;
}

static struct config_value *value_new(struct reader *self, struct fy_event *event,
                                      enum config_kind kind)
{
    struct config_value *value = ftri_arena_alloc(&self->document->arena, sizeof *value);
    if (!value)
        return NULL;
    /* What is not there has no place: it stands where what is before it does, its key. */
    const struct fy_mark *mark = fy_event_start_mark(event);
    const struct config_value *before = self->n_pending ? self->pending[self->n_pending - 1] : NULL;
    *value = (struct config_value){
        .document = self->document,
        .kind = kind,
        .line = mark     ? (uint32_t)mark->line + 1
                : before ? before->line
                         : 1,
        .column = mark     ? (uint32_t)mark->column + 1
                  : before ? before->column
                           : 1,
        .text = "",
    };
    return value;
}

static int refuse(const struct reader *self, const struct config_value *value, const char *reason)
{
    return config_error(value, self->error, -EINVAL, "%s", reason);
}

static int refuse_extras(const struct reader *self, const struct config_value *value,
                         const struct fy_token *anchor, const struct fy_token *tag)
{
    if (anchor)
        return refuse(self, value, "anchors are not supported");
    if (tag)
        return refuse(self, value, "tags are not supported");
    return 0;
}

static bool is_null(ftr_str text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < FTRI_COUNT(words); i++)
        if (strlen(words[i]) == text.len && memcmp(words[i], text.data, text.len) == 0)
            return true;
    return false;
}

static int set_text(struct reader *self, struct config_value *value, ftr_str text)
{
    if (text.len && memchr(text.data, '\0', text.len))
        return refuse(self, value, "a NUL character in a text");
    const ftr_str copy = ftri_arena_copy(&self->document->arena, text);
    if (!copy.data)
        return short_of_memory(self);
    value->text = copy.data;
    return 0;
}

static int expand_text(struct reader *self, struct config_value *value, ftr_str text)
{
    struct ftri_bytes expanded;
    ftri_bytes_init(&expanded, EXPANDED_BYTES_MAX);
    struct ftri_error reason = {{0}};
    int r = config_expand(text, &expanded, &reason);
    if (r < 0)
        r = config_error(value, self->error, r, "%s", reason.text);
    else
        r = set_text(self, value, ftri_view_str(ftri_bytes_view(&expanded)));
    ftri_bytes_deinit(&expanded);
    return r;
}

static int on_scalar(struct reader *self, struct fy_event *event)
{
    struct config_value *value = value_new(self, event, CONFIG_SCALAR);
    if (!value)
        return short_of_memory(self);
    const int r = refuse_extras(self, value, event->scalar.anchor, event->scalar.tag);
    if (r < 0)
        return r;
    ftr_str text = {"", 0};
    struct fy_token *token = event->scalar.value;
    if (token) {
        value->is_quoted = fy_token_scalar_style(token) != FYSS_PLAIN;
        text.data = fy_token_get_text(token, &text.len);
        if (!text.data)
            return short_of_memory(self);
    }
    if (!value->is_quoted && is_null(text)) {
        value->kind = CONFIG_NULL;
        return append_pending(self, value);
    }
    const int code =
        config_needs_expansion(text) ? expand_text(self, value, text) : set_text(self, value, text);
    return code < 0 ? code : append_pending(self, value);
}

static int on_start(struct reader *self, struct fy_event *event)
{
    const bool is_mapping = event->type == FYET_MAPPING_START;
    struct config_value *value =
        value_new(self, event, is_mapping ? CONFIG_MAPPING : CONFIG_SEQUENCE);
    if (!value)
        return short_of_memory(self);
    const int r =
        is_mapping
            ? refuse_extras(self, value, event->mapping_start.anchor, event->mapping_start.tag)
            : refuse_extras(self, value, event->sequence_start.anchor, event->sequence_start.tag);
    if (r < 0)
        return r;
    if (self->n_levels == LEVELS_MAX)
        return config_error(value, self->error, -EINVAL, "more than %d levels", LEVELS_MAX);
    const int code = append_pending(self, value);
    if (code < 0)
        return code;
    self->levels[self->n_levels++] = (struct level){value, self->n_pending};
    return 0;
}

/* -EINVAL at the second of two equal keys. */
static int check_keys(const struct reader *self, const struct config_value *mapping)
{
    struct ftri_map seen;
    ftri_map_init(&seen, mapping->n);
    int r = 0;
    for (size_t i = 0; r == 0 && i < mapping->n; i++) {
        const struct config_value *key = mapping->keys[i];
        const ftr_str text = ftr_str_from(key->text);
        const struct config_value *first = ftri_map_get(&seen, text);
        if (key->kind != CONFIG_SCALAR)
            r = config_error(key, self->error, -EINVAL, "a key must be a text, not a %s",
                             config_kind_name(key->kind));
        else if (first)
            r = config_error(key, self->error, -EINVAL, "'%.100s' is here twice, first in line %u",
                             key->text, (unsigned)first->line);
        else if (ftri_map_set(&seen, text, (void *)(uintptr_t)key) < 0)
            r = short_of_memory(self);
    }
    ftri_map_deinit(&seen);
    return r;
}

static const struct config_value **copy_every(struct reader *self, size_t first, size_t step,
                                              size_t n)
{
    const struct config_value **copy =
        ftri_arena_alloc(&self->document->arena, (n ? n : 1) * sizeof *copy);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = self->pending[first + i * step];
    return copy;
}

static int close_mapping(struct reader *self, struct config_value *value, size_t first)
{
    value->n = (self->n_pending - first) / 2;
    value->keys = copy_every(self, first, 2, value->n);
    value->items = copy_every(self, first + 1, 2, value->n);
    if (!value->keys || !value->items)
        return short_of_memory(self);
    return check_keys(self, value);
}

static int close_sequence(struct reader *self, struct config_value *value, size_t first)
{
    value->n = self->n_pending - first;
    value->items = copy_every(self, first, 1, value->n);
    const char **texts =
        ftri_arena_alloc(&self->document->arena, (value->n ? value->n : 1) * sizeof *texts);
    if (!value->items || !texts)
        return short_of_memory(self);
    for (size_t i = 0; i < value->n; i++)
        texts[i] = value->items[i]->text;
    value->texts = texts;
    return 0;
}

static int on_end(struct reader *self)
{
    const struct level level = self->levels[--self->n_levels];
    const int r = level.value->kind == CONFIG_MAPPING
                      ? close_mapping(self, level.value, level.first)
                      : close_sequence(self, level.value, level.first);
    self->n_pending = level.first;
    return r;
}

static int on_event(struct reader *self, struct fy_event *event)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (self->has_document)
            return ftri_error_set(self->error, -EINVAL, "%s: more than one YAML document",
                                  self->document->name);
        self->has_document = true;
        return 0;
    case FYET_SCALAR:
        return on_scalar(self, event);
    case FYET_SEQUENCE_START:
    case FYET_MAPPING_START:
        return on_start(self, event);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        return on_end(self);
    case FYET_ALIAS: {
        const struct config_value *value = value_new(self, event, CONFIG_NULL);
        return value ? refuse(self, value, "aliases are not supported") : short_of_memory(self);
    }
    default:
        return 0;
    }
}

/* The parser's own first complaint; the place is from 1 there too. */
static int syntax_error(const struct reader *self, struct fy_diag *diag)
{
    void *previous = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &previous);
    if (!first || !first->msg)
        return ftri_error_set(self->error, -EINVAL, "%s: not YAML", self->document->name);
    const uint32_t place[2] = {(uint32_t)first->line, (uint32_t)first->column};
    return config_error_at(self->document, place, self->error, "not YAML: %s", first->msg);
}

static int read_events(struct reader *self, struct fy_parser *parser, struct fy_diag *diag)
{
    for (;;) {
        struct fy_event *event = fy_parser_parse(parser);
        if (!event)
            return fy_parser_get_stream_error(parser) ? syntax_error(self, diag) : 0;
        const bool is_over = event->type == FYET_STREAM_END;
        const int r = on_event(self, event);
        fy_parser_event_free(parser, event);
        if (r < 0 || is_over)
            return r;
    }
}

static int read_text(struct reader *self, ftr_str text, struct fy_diag *diag)
{
    const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (!parser)
        return short_of_memory(self);
    const int r = fy_parser_set_string(parser, text.data, text.len) == 0
                      ? read_events(self, parser, diag)
                      : short_of_memory(self);
    fy_parser_destroy(parser);
    return r;
}

int config_yaml_read(struct config_document *document, ftr_str text, struct ftri_error *error)
{
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (!diag)
        return ftri_error_errno(error, -ENOMEM, "%s", document->name);
    fy_diag_set_collect_errors(diag, true);
    struct reader reader = {.document = document, .error = error};
    const int r = read_text(&reader, text, diag);
    if (r == 0 && reader.n_pending)
        document->root = reader.pending[0];
    ftri_free(reader.pending);
    fy_diag_destroy(diag);
    return r;
}
