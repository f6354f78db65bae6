/* SPDX-License-Identifier: Apache-2.0
 *
 * The conditions of api/search.h. */
#include "api/search.h"

#include "api/jaeger_tags.h"
#include "api/value_text.h"
#include "otlp/view.h"

#include <errno.h>
#include <flowtrace/flow.h>
#include <string.h>

enum { VALUE_LIMIT_BYTES = 64 << 20 };

void conditions_init(struct conditions *self)
{
    ftri_bytes_init(&self->text, CONDITIONS_TEXT_BYTES);
    self->n = 0;
}

void conditions_deinit(struct conditions *self)
{
    ftri_bytes_deinit(&self->text);
}

static bool equals(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The others are names of the value then. */
static bool asks_for_event(ftr_str key)
{
    return equals(key, FTR_STR("event"));
}

static void list_others(struct condition *item, ftr_str name)
{
    _Static_assert((int)CONDITION_NAMES_MAX >= (int)FTR_CONVENTION_NAMES_MAX, "all of them");
    ftr_str names[CONDITION_NAMES_MAX];
    const size_t n = ftr_convention_names(name, names, FTRI_COUNT(names));
    for (size_t i = 0; i < n; i++)
        if (!equals(names[i], name))
            item->others[item->n_others++] = names[i];
}

int conditions_add(struct conditions *self, ftr_str key, ftr_str value)
{
    const size_t begin = self->text.len;
    if (self->n == CONDITIONS_MAX)
        return -EMSGSIZE;
    int r = ftri_bytes_append_str(&self->text, key);
    if (r == 0)
        r = ftri_bytes_append_str(&self->text, value);
    if (r < 0) {
        self->text.len = begin;
        return r;
    }
    struct condition *const item = &self->items[self->n++];
    *item = (struct condition){.begin = begin, .key_len = key.len, .value_len = value.len};
    list_others(item, asks_for_event(key) ? value : key);
    return 0;
}

/* One condition while it is looked for. */
struct wanted {
    ftr_str key, value;
    const struct condition *condition;
    struct ftri_bytes text; /* of the value that is compared */
};

static int check_value(struct wanted *wanted, struct ftri_view any_value)
{
    const ftr_value value = ftri_otlp_value_read(any_value);
    if (value.type == FTR_VALUE_STR)
        return equals(value.as.str, wanted->value) ? 0 : CONDITIONS_UNMET;
    ftri_bytes_reset(&wanted->text);
    const int r = value_text(any_value, &wanted->text);
    if (r < 0)
        return r;
    return equals(ftri_view_str(ftri_bytes_view(&wanted->text)), wanted->value) ? 0
                                                                                : CONDITIONS_UNMET;
}

static bool is_other(const struct wanted *wanted, ftr_str found)
{
    for (size_t i = 0; i < wanted->condition->n_others; i++)
        if (equals(found, wanted->condition->others[i]))
            return true;
    return false;
}

static bool is_key(const struct wanted *wanted, ftr_str found)
{
    return equals(found, wanted->key) || (!asks_for_event(wanted->key) && is_other(wanted, found));
}

static bool is_event(const struct wanted *wanted, ftr_str found)
{
    return asks_for_event(wanted->key) && (equals(found, wanted->value) || is_other(wanted, found));
}

static int check_attributes(struct wanted *wanted, enum ftri_otlp_owner owner,
                            struct ftri_view message)
{
    int r = CONDITIONS_UNMET;
    struct ftri_otlp_attribute attribute;
    for (size_t next = 0;
         r == CONDITIONS_UNMET && ftri_otlp_attribute_next(owner, message, &next, &attribute);)
        if (is_key(wanted, attribute.key))
            r = check_value(wanted, attribute.value);
    return r;
}

static int check_events(struct wanted *wanted, const struct ftri_otlp_span *span)
{
    int r = CONDITIONS_UNMET;
    struct ftri_otlp_event event;
    for (size_t next = 0;
         r == CONDITIONS_UNMET && ftri_otlp_event_next(span->bytes, &next, &event);) {
        r = check_attributes(wanted, FTRI_OTLP_EVENT, event.bytes);
        if (r == CONDITIONS_UNMET && is_event(wanted, event.name))
            r = 0;
    }
    return r;
}

static int check_links(struct wanted *wanted, const struct ftri_otlp_span *span)
{
    int r = CONDITIONS_UNMET;
    struct ftri_otlp_link link;
    for (size_t next = 0; r == CONDITIONS_UNMET && ftri_otlp_link_next(span->bytes, &next, &link);)
        r = check_attributes(wanted, FTRI_OTLP_LINK, link.bytes);
    return r;
}

static ftr_str status_name(int32_t code)
{
    if (code == FTRI_OTLP_STATUS_OK)
        return FTR_STR("OK");
    return code == FTRI_OTLP_STATUS_ERROR ? FTR_STR("ERROR") : FTR_STR("UNSET");
}

/* Tags that are made of a span's fields. */
static int check_fields(const struct wanted *wanted, const struct ftri_otlp_span *span)
{
    const struct jaeger_scope scope = jaeger_scope_of(span->scope);
    const struct {
        ftr_str key, value;
    } rows[] = {
        {FTR_STR("span.kind"), jaeger_kind_name(span->kind)},
        {FTR_STR("otel.status_code"), status_name(span->status_code)},
        {FTR_STR("span.status"), status_name(span->status_code)},
        {FTR_STR("otel.status_description"), span->status_message},
        {FTR_STR("otel.scope.name"), scope.name},
        {FTR_STR("scope.name"), scope.name},
        {FTR_STR("otel.scope.version"), scope.version},
        {FTR_STR("scope.version"), scope.version},
        {FTR_STR("w3c.tracestate"), span->tracestate},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        if (rows[i].value.len && equals(wanted->key, rows[i].key) &&
            equals(wanted->value, rows[i].value))
            return 0;
    return CONDITIONS_UNMET;
}

static int check_one(struct wanted *wanted, const struct ftri_otlp_span *span)
{
    int r = check_fields(wanted, span);
    if (r == CONDITIONS_UNMET)
        r = check_attributes(wanted, FTRI_OTLP_SPAN, span->bytes);
    if (r == CONDITIONS_UNMET)
        r = check_attributes(wanted, FTRI_OTLP_RESOURCE, span->resource);
    if (r == CONDITIONS_UNMET)
        r = check_attributes(wanted, FTRI_OTLP_SCOPE, span->scope);
    if (r == CONDITIONS_UNMET)
        r = check_events(wanted, span);
    return r == CONDITIONS_UNMET ? check_links(wanted, span) : r;
}

int conditions_check(const struct conditions *self, const struct ftri_otlp_span *span)
{
    int r = 0;
    const char *const text = self->text.data ? (const char *)self->text.data : "";
    struct wanted wanted;
    ftri_bytes_init(&wanted.text, VALUE_LIMIT_BYTES);
    for (size_t i = 0; r == 0 && i < self->n; i++) {
        const char *const key = text + self->items[i].begin;
        wanted.condition = &self->items[i];
        wanted.key = (ftr_str){key, self->items[i].key_len};
        wanted.value = (ftr_str){key + self->items[i].key_len, self->items[i].value_len};
        r = check_one(&wanted, span);
    }
    ftri_bytes_deinit(&wanted.text);
    return r;
}
