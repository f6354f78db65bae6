/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/line_record.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "codec/json_number.h"
#include "codec/json_reader.h"
#include "engine/records.h"

#include <errno.h>
#include <string.h>

enum { MEMBERS_MAX = 1024, LEVELS_MAX = 16, FACTOR_BYTES = 64 };

const char *const line_forms[] = {"ndjson", "text", NULL};
const char *const line_time_units[] = {"ns", "us", "ms", "s", NULL};

static const uint64_t unit_ns[] = {1, FTRI_NS_PER_US, FTRI_NS_PER_MS, FTRI_NS_PER_S};

/* One line being read; what it holds lives in the arena. */
struct reading {
    const struct line_options *options;
    struct ftri_json_reader json;
    struct ftri_arena arena;
    struct record record;
    struct ftri_error *error;
};

/* Grows as it is filled; both kinds of value lists are gathered in it. */
struct gathered {
    ftr_attribute *items;
    size_t n;
    size_t capacity;
};

static int wrong(const struct reading *self, const char *reason)
{
    return ftri_error_set(self->error, -EBADMSG, "%s (at byte %zu)", reason, self->json.offset);
}

static int next_token(struct reading *self)
{
    const int token = ftri_json_reader_next(&self->json);
    return token == -EBADMSG ? wrong(self, self->json.problem) : token;
}

static int gather(struct reading *self, struct gathered *to, const ftr_attribute *item)
{
    if (to->n == MEMBERS_MAX)
        return wrong(self, "more than 1024 members or elements");
    if (to->n == to->capacity) {
        const size_t capacity = to->capacity ? to->capacity * 2 : 8;
        ftr_attribute *grown = ftri_arena_alloc(&self->arena, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        if (to->n)
            memcpy(grown, to->items, to->n * sizeof *grown);
        to->items = grown;
        to->capacity = capacity;
    }
    to->items[to->n++] = *item;
    return 0;
}

static int copy_text(struct reading *self, ftr_str *ret_text)
{
    *ret_text = ftri_arena_copy(&self->arena, self->json.text);
    return ret_text->data ? 0 : -ENOMEM;
}

/* An integer where it fits into one. */
static int read_number(const struct reading *self, ftr_value *ret_value)
{
    int64_t integer;
    double number;
    if (ftri_json_to_i64(self->json.text, &integer) == 0)
        *ret_value = ftr_value_i64(integer);
    else if (ftri_json_to_f64(self->json.text, &number) == 0)
        *ret_value = ftr_value_f64(number);
    else
        return wrong(self, "a number beyond the largest double");
    return 0;
}

static int read_array(struct reading *self, ftr_value *ret_value, unsigned n_levels);
static int read_members(struct reading *self, struct gathered *members, unsigned n_levels);

static int read_map(struct reading *self, ftr_value *ret_value, unsigned n_levels)
{
    struct gathered members = {0};
    const int r = read_members(self, &members, n_levels);
    *ret_value = ftr_value_map(members.items, members.n);
    return r;
}

/* The value that begins with this token. Recursion is bounded by n_levels. */
static int read_value(struct reading *self, int token, ftr_value *ret_value, unsigned n_levels)
{
    switch (token) {
    case FTRI_JSON_STRING:
        *ret_value = (ftr_value){.type = FTR_VALUE_STR};
        return copy_text(self, &ret_value->as.str);
    case FTRI_JSON_NUMBER:
        return read_number(self, ret_value);
    case FTRI_JSON_TRUE:
    case FTRI_JSON_FALSE:
        *ret_value = ftr_value_bool(token == FTRI_JSON_TRUE);
        return 0;
    case FTRI_JSON_NULL:
        *ret_value = (ftr_value){.type = FTR_VALUE_EMPTY};
        return 0;
    default:
        if (n_levels == 0)
            return wrong(self, "values nested deeper than 16 levels");
        return token == FTRI_JSON_ARRAY ? read_array(self, ret_value, n_levels - 1)
                                        : read_map(self, ret_value, n_levels - 1);
    }
}

static int read_array(struct reading *self, ftr_value *ret_value, unsigned n_levels)
{
    struct gathered elements = {0};
    int token;
    while ((token = next_token(self)) != FTRI_JSON_ARRAY_END) {
        ftr_attribute element = {.key = {"", 0}};
        int r = token < 0 ? token : read_value(self, token, &element.value, n_levels);
        if (r == 0)
            r = gather(self, &elements, &element);
        if (r < 0)
            return r;
    }
    ftr_value *items = ftri_arena_alloc(&self->arena, (elements.n + 1) * sizeof *items);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < elements.n; i++)
        items[i] = elements.items[i].value;
    *ret_value = ftr_value_array(items, elements.n);
    return 0;
}

/* Up to the end of the object. */
static int read_members(struct reading *self, struct gathered *members, unsigned n_levels)
{
    int token;
    while ((token = next_token(self)) != FTRI_JSON_OBJECT_END) {
        ftr_attribute member = {.key = {"", 0}};
        int r = token < 0 ? token : copy_text(self, &member.key);
        if (r == 0)
            r = next_token(self);
        if (r >= 0)
            r = read_value(self, r, &member.value, n_levels);
        if (r == 0)
            r = gather(self, members, &member);
        if (r < 0)
            return r;
    }
    return 0;
}

static uint64_t time_of(const struct line_options *options, const ftr_value *value)
{
    const uint64_t unit = unit_ns[options->time_unit];
    if (value->type == FTR_VALUE_I64)
        return value->as.i64 > 0 && (uint64_t)value->as.i64 <= UINT64_MAX / unit
                   ? (uint64_t)value->as.i64 * unit
                   : 0;
    const double ns = value->type == FTR_VALUE_F64 ? value->as.f64 * (double)unit : 0;
    return ns > 0 && ns < 0x1p63 ? (uint64_t)ns : 0;
}

/* Takes key and value out of the members; the rest are the attributes. */
static int take_members(struct reading *self, struct gathered *members)
{
    size_t n = 0;
    for (size_t i = 0; i < members->n; i++) {
        const ftr_attribute *member = &members->items[i];
        const bool is_text = member->value.type == FTR_VALUE_STR;
        if (ftri_text_is(member->key, "key") && !is_text)
            return wrong(self, "key: expected a string");
        if (self->options->time_field[0] && ftri_text_is(member->key, self->options->time_field))
            self->record.event_time_ns = time_of(self->options, &member->value);
        if (ftri_text_is(member->key, "key"))
            self->record.key = member->value.as.str;
        else if (ftri_text_is(member->key, "value") && is_text)
            self->record.value = member->value.as.str;
        else
            members->items[n++] = *member;
    }
    self->record.attributes = members->items;
    self->record.n_attributes = n;
    return 0;
}

static int read_object(struct reading *self)
{
    struct gathered members = {0};
    int token = next_token(self);
    if (token < 0)
        return token;
    if (token != FTRI_JSON_OBJECT)
        return wrong(self, "expected a JSON object");
    int r = read_members(self, &members, LEVELS_MAX - 1);
    if (r == 0)
        r = next_token(self); /* nothing may follow */
    return r < 0 ? r : take_members(self, &members);
}

static int add_object(const struct line_options *options, ftr_str key, ftr_str line,
                      struct records *records, struct ftri_error *error)
{
    struct reading self = {
        .options = options, .record = {.key = key, .value = {"", 0}}, .error = error};
    ftri_json_reader_init(&self.json, ftri_view_of(line.data, line.len));
    ftri_arena_init(&self.arena, FACTOR_BYTES * (line.len + MEMBERS_MAX));
    int r = read_object(&self);
    if (r == 0)
        r = records_add(records, &self.record);
    ftri_arena_deinit(&self.arena);
    ftri_json_reader_deinit(&self.json);
    return r;
}

int line_record_add(const struct line_options *options, ftr_str key, ftr_str line,
                    struct records *records, struct ftri_error *error)
{
    if (options->form == LINE_FORM_NDJSON)
        return add_object(options, key, line, records, error);
    const struct record record = {.key = key, .value = line};
    return records_add(records, &record);
}
